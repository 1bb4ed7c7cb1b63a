import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { until } from "../agent/agent-process.ts";
import { childrenOf, type ForkedPython, lives, makeForkedPython } from "./forked-python.ts";

const started: ForkedPython[] = [];
const made: string[] = [];
afterEach(() => {
  for (const modules of made.splice(0)) rmSync(modules, { recursive: true });
  for (const python of started.splice(0)) python.stop();
});

async function start(...options: Parameters<typeof makeForkedPython>): Promise<ForkedPython> {
  const python = makeForkedPython(...options);
  started.push(python);
  await python.ready();
  return python;
}

/** A place of modules. */
function makeModules(): string {
  const modules = mkdtempSync(join(tmpdir(), "bulkhead-modules-"));
  made.push(modules);
  return modules;
}

function serverOf({ servers }: ForkedPython): number {
  const server = servers.at(-1);
  if (server === undefined) throw new Error("no forkserver");
  return server.pid;
}

/** A run, and the pid that it prints first. */
async function begin(python: ForkedPython, code: string) {
  let text = "";
  const result = python.run(`import os\nprint(os.getpid(), flush=True)\n${code}`, {
    onOutput(name, chunk) {
      if (name === "stdout") text += chunk.toString();
      return undefined;
    },
  });
  await until(() => text.includes("\n"));
  return { pid: Number(text.split("\n")[0]), result };
}

describe("a forkserver", () => {
  it("serves on when the system refuses processes, and forks again when it has some", async () => {
    const modules = makeModules();
    // Below it, so that the directory itself does not change.
    mkdirSync(join(modules, "full"));
    writeFileSync(
      join(modules, "sitecustomize.py"),
      [
        "import errno, os",
        "fork = os.fork",
        "def refusing():",
        `    if os.path.exists('${modules}/full/yes'): raise BlockingIOError(errno.EAGAIN, 'no')`,
        "    return fork()",
        "os.fork = refusing",
      ].join("\n"),
    );
    const python = await start({ PYTHONPATH: modules });
    const server = serverOf(python);
    writeFileSync(join(modules, "full/yes"), "");
    const first = await begin(python, "import time\ntime.sleep(0.5)\nraise SystemExit(3)");
    expect(await python.runEither("print(1)")).toMatchObject({ forked: false, exitCode: 0, stdout: "1\n" });
    expect(await first.result).toMatchObject({ exitCode: 3, stderr: "" });
    expect(await python.runEither("print(2)")).toMatchObject({ forked: false, exitCode: 0, stdout: "2\n" });
    const before = ticks(server);
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(ticks(server) - before).toBeLessThan(10);
    rmSync(join(modules, "full/yes"));
    await until(async () => (await python.runEither("print(3)")).forked);
    expect(serverOf(python)).toBe(server);
  });

  it("stays for the programs that run when modules change, and another one takes the next", async () => {
    const modules = makeModules();
    const python = await start({ PYTHONPATH: modules });
    const [first] = python.servers;
    const running = await begin(python, "import time\ntime.sleep(6)\nprint('done')\nraise SystemExit(3)");
    writeFileSync(join(modules, "fresh.py"), "value = 7");
    const refused = await python.runEither("import fresh\nprint(fresh.value)");
    expect(refused).toMatchObject({ forked: false, stdout: "7\n", stderr: "" });
    await until(async () => (await python.runEither("print(1)")).forked);
    expect(python.servers).toHaveLength(2);
    expect(lives(running.pid)).toBe(true);
    expect(await running.result).toMatchObject({ exitCode: 3, stdout: `${running.pid}\ndone\n`, stderr: "" });
    expect(await first?.ended).toBe(137);
  });

  it("takes its programs along when it is killed, and another one takes the next", async () => {
    const python = await start();
    const running = await begin(python, "import time\ntime.sleep(30)");
    process.kill(serverOf(python), "SIGKILL");
    expect(await running.result).toMatchObject({ exitCode: 1, stderr: "The interpreter of this run is gone.\n" });
    await until(() => !lives(running.pid));
    await python.ready();
    expect(await python.run("print(1)")).toMatchObject({ exitCode: 0, stdout: "1\n" });
  });

  it("serves on when something kills what waits for the next one", async () => {
    const python = await start();
    const server = serverOf(python);
    const running = await begin(python, "import time\ntime.sleep(0.3)");
    await until(() => childrenOf(server).length === 2);
    for (const pid of childrenOf(server)) if (pid !== running.pid) process.kill(pid, "SIGKILL");
    expect(await running.result).toMatchObject({ exitCode: 0, stderr: "" });
    expect(await python.run("print(1)")).toMatchObject({ exitCode: 0, stdout: "1\n" });
    expect(serverOf(python)).toBe(server);
  });

  it("does not grow over 500 programs, some of which leave children", async () => {
    const python = await start();
    const server = serverOf(python);
    let forked = 0;
    const runs = async (count: number) => {
      for (let run = 0; run < count; run += 1) {
        const child = run % 10 === 0 ? "import os, time\nif os.fork() == 0: time.sleep(0.01)\n" : "";
        const result = await python.runEither(`${child}import sys\nsys.modules['numpy'] = sys\n1`);
        expect(result).toMatchObject({ exitCode: 0, stderr: "", rich: { result: "1" } });
        if (result.forked) forked += 1;
      }
      // Only what waits for the next one is left.
      await until(() => childrenOf(server).length === 1);
    };
    await runs(20);
    const early = sizeOf(server);
    await runs(500);
    const late = sizeOf(server);
    expect(forked).toBeGreaterThan(400);
    expect(late.descriptors).toBe(early.descriptors);
    expect(late.maps).toBeLessThan(early.maps + 20);
    expect(late.kilobytes).toBeLessThan(early.kilobytes + 2_048);
    expect(serverOf(python)).toBe(server);
  }, 120_000);

  it("is done without where no socket can be made", async () => {
    const python = await start({}, () => {
      throw new Error("disk full");
    });
    expect(await python.runEither("print(1)")).toMatchObject({ forked: false, exitCode: 0, stdout: "1\n" });
  });
});

function ticks(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return Number(fields[11]) + Number(fields[12]);
}

function sizeOf(pid: number) {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return {
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
    maps: readFileSync(`/proc/${pid}/maps`, "utf8").split("\n").length,
    kilobytes: Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]),
  };
}

/** What a process has from where it came. */
const inherited = [
  "import os",
  "def show():",
  "  numbers = sorted(map(int, os.listdir('/proc/self/fd')))[:-1]",
  "  print(numbers, [n for n in numbers if os.get_inheritable(n)])",
  "  print([l for l in open('/proc/self/status') if l.startswith(('Sig', 'Shd')) and not l.startswith('SigQ')])",
  "  print(os.getsid(0) == os.getpgid(0), os.umask(0), os.nice(0), flush=True)",
].join("\n");

const alike: Readonly<Record<string, string>> = {
  "looks at its descriptors and signals": `${inherited}\nshow()`,
  "looks at those of its child": `${inherited}\nif os.fork() == 0: show()\nelse: os.wait()`,
  "looks at those of a command": "import subprocess, sys\nsubprocess.run(['ls', '/proc/self/fd'], close_fds=False)",
  "closes its stdout": "import sys\nprint('x')\nsys.stdout.close()",
  "has no stdout": "import sys\nprint('x', flush=True)\nsys.stdout = sys.stderr = None",
  "cannot write its last words": "import os, sys\nprint('x')\nsys.stderr = None\nos.close(1)\nsys.exit(3)",
  "holds text without bytes": "print(len('\ud800'))",
};

describe("a forked program", () => {
  it.each(Object.entries(alike))("that %s sees what it sees with python3", async (_, code) => {
    const python = await start();
    const plain = await python.runPlain(code);
    const forked = await python.runEither(code);
    const { exitCode, stdout, stderr, rich } = forked;
    expect({ exitCode, stdout, stderr, rich }).toEqual({
      ...{ exitCode: plain.exitCode, stdout: plain.stdout, stderr: plain.stderr, rich: plain.rich },
    });
  });

  it("has no byte added to its files", async () => {
    const python = await start();
    await python.run(
      "import os, sys\nos.closerange(3, 200)\nsys.modules['numpy'] = sys\nfor n in range(60): os.open('mine', os.O_RDWR | os.O_CREAT)",
    );
    expect(readFileSync(join(python.directory, "mine"), "utf8")).toBe("");
  });

  it("is answered when what it left writes on and on to a slow listener", async () => {
    const python = await start();
    const left =
      "import os\nif os.fork() == 0:\n  open('left', 'w').write(str(os.getpid()))\n  while True: os.write(1, b'y' * 65536)";
    const { durationMs, exitCode } = await python.run(left, {
      onOutput: () => new Promise((resolve) => setTimeout(resolve, 5)),
      timeoutMs: 30_000,
    });
    expect(exitCode).toBe(0);
    expect(durationMs).toBeLessThan(5_000);
    process.kill(Number(readFileSync(join(python.directory, "left"), "utf8")), "SIGKILL");
  });

  it("has the whole of a large report read", async () => {
    const python = await start();
    const code = "class A:\n  __repr__ = lambda s: 'A'\n  def _repr_html_(s): return 'x' * 8_000_000\nA()";
    for (let run = 0; run < 10; run += 1) {
      const { rich } = await python.run(code);
      expect(rich?.html).toHaveLength(8_000_000);
    }
  });
});
