import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { systemClock } from "#agent/clock.ts";
import { makeMarks } from "#agent/exec/marks.ts";
import { type Cell, type CellResult, type Kernel, makeKernel } from "#agent/interpreter/kernel.ts";
import { startKernelProcess } from "#agent/interpreter/kernel-process.ts";
import { makeActiveTimers } from "#agent/timers.ts";
import { until } from "../agent/agent-process.ts";
import { childrenOf, lives } from "./forked-python.ts";

/** Stand-ins with the few names that kernel.py looks at, so that no packages need be installed here. */
const libraries: Readonly<Record<string, string>> = {
  "traitlets/__init__.py": "def Type(kind): return kind",
  "traitlets/config.py": [
    "class Config:",
    "    def __getattr__(self, name):",
    "        self.__dict__[name] = Config()",
    "        return self.__dict__[name]",
  ].join("\n"),
  "IPython/core/displayhook.py": "class DisplayHook: pass",
  "IPython/core/displaypub.py": "class DisplayPublisher: pass",
  "IPython/core/interactiveshell.py": `
import ast, atexit, sys, traceback, types

class Outcome:
    def __init__(self):
        self.result = self.error_before_exec = self.error_in_exec = None
    @property
    def success(self):
        return self.error_before_exec is None and self.error_in_exec is None

class InteractiveShell:
    @classmethod
    def instance(cls, config):
        return cls()
    def __init__(self):
        self.execution_count = 1
        self.InteractiveTB = self
        self.system_raw = None
        self.hook = self.displayhook_class()
        self.user_ns = types.ModuleType("__main__")
        sys.modules["__main__"], self.user_ns = self.user_ns, self.user_ns.__dict__
        atexit.register(print, "the shell's own end")
    def stb2text(self, lines):
        return "".join(lines)
    def showtraceback(self, exception_only=False):
        kind, error, trace = sys.exc_info()
        self._showtraceback(kind, error, traceback.format_exception(kind, error, trace))
    def run_cell(self, code, store_history, silent):
        outcome = Outcome()
        self.execution_count += 1
        try:
            body = ast.parse(code).body
            last = body.pop() if isinstance(body[-1], ast.Expr) else None
            exec(compile(ast.Module(body, []), "<cell>", "exec"), self.user_ns)
            if last is not None:
                outcome.result = eval(compile(ast.Expression(last.value), "<cell>", "eval"), self.user_ns)
            if outcome.result is not None:
                self.hook.write_format_data({"text/plain": repr(outcome.result)})
                self.hook.finish_displayhook()
        except SystemExit as error:
            outcome.error_in_exec = error
            self.showtraceback(exception_only=True)
            print("To exit: use 'exit', 'quit', or Ctrl-D.", file=sys.stderr)
        except BaseException as error:
            outcome.error_in_exec = error
            self.showtraceback()
        return outcome
`,
};

let directory: string;
let kernel: Kernel;

beforeAll(() => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), "bulkhead-cells-")));
  for (const [name, text] of Object.entries(libraries)) {
    mkdirSync(join(directory, name, ".."), { recursive: true });
    writeFileSync(join(directory, name), text);
  }
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));
beforeEach(() => {
  kernel = makeTestKernel();
});
afterEach(() => kernel.end());

function makeTestKernel(): Kernel {
  const marks = makeMarks();
  const script = join(process.cwd(), "src/agent/tools/python/kernel.py");
  // Later Pythons warn of each fork beside a thread.
  const quiet = { PYTHONWARNINGS: "ignore::DeprecationWarning", PYTHONDONTWRITEBYTECODE: "1" };
  const env = { PATH: "/usr/bin:/bin", PYTHONPATH: directory, ...quiet };
  return makeKernel({
    start: () => startKernelProcess({ file: "/usr/bin/python3", script, cwd: directory, env, marks }),
    sandboxEnv: () => ({}),
    timers: makeActiveTimers(systemClock),
    clock: systemClock,
  });
}

function run(code: string, options: Partial<Cell> = {}, on = kernel): Promise<CellResult> {
  return on.run({ code, env: {}, timeoutMs: 20_000, signal: new AbortController().signal, ...options });
}

/** The kernel's own process runs the next cells, each once, with the variables of this one. */
async function expectHealth({ pid, executionCount }: CellResult): Promise<void> {
  for (const number of [1, 2, 3]) {
    const next = await run(`import os\nprint(${number})\nos.getpid()`);
    const { exitCode, stdout, stderr, rich } = next;
    expect({ exitCode, stdout, stderr, rich }).toEqual({
      ...{ exitCode: 0, stdout: `${number}\n`, stderr: "", rich: { result: String(pid) } },
    });
    expect(next.executionCount).toBe(executionCount + number);
    expect(next.durationMs).toBeLessThan(1_000);
  }
}

const start = "import os, sys, time, threading, atexit\nimport multiprocessing as m\n";
/** Runs `child` in a child, and prints how it ended: its exit code, or the negative number of its signal. */
const forked = (child: string) =>
  `${start}pid = os.fork()\nif pid == 0:\n  ${child}\nelse:\n  print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))`;
const sleeper = `${start}if os.fork() == 0: time.sleep(30)\n`;
const daemon = (life: string) =>
  `${start}if os.fork() == 0:\n  os.setsid()\n  if os.fork(): os._exit(0)\n  ${life}\nos.wait()\nprint('up')`;

const cells: readonly [string, string, Partial<CellResult>][] = [
  ["forks a child that falls off the end", forked("pass"), { stdout: "0\n" }],
  ["forks a child that prints", forked("print('child')"), { stdout: "child\n0\n" }],
  ["forks a child that exits", forked("sys.exit(5)"), { stdout: "5\n" }],
  ["forks a child that exits well", forked("sys.exit()"), { stdout: "0\n" }],
  ["forks a child that exits with a reason", forked("sys.exit('why')"), { stdout: "1\n", stderr: "why\n" }],
  ["forks a child that exits without delay", forked("os._exit(6)"), { stdout: "6\n" }],
  ["forks a child that takes another program", forked("os.execl('/bin/echo', 'echo', 'x')"), { stdout: "x\n0\n" }],
  ["forks a child that closes its output", forked("sys.stdout.close(); os.close(2)"), { stdout: "0\n" }],
  ["forks a child with a thread", forked("threading.Timer(0.1, print, ['late']).start()"), { stdout: "late\n0\n" }],
  ["forks a child with an exit handler", forked("atexit.register(print, 'end')"), { stdout: "end\n0\n" }],
  ["forks a child that forks", forked("os.fork() and os.wait(); print('twice')"), { stdout: "twice\ntwice\n0\n" }],
  ["forks when it has printed", `import os\nprint('once', end='')\n${forked("pass")}`, { stdout: "once0\n" }],
  [
    "forks a child in a function that returns",
    `${start}def f():\n  pid = os.fork()\n  if pid: os.waitpid(pid, 0)\n  return pid\nf() > 0`,
    { rich: { result: "True" } },
  ],
  [
    "keeps its own descriptors from a child",
    forked("print([os.path.exists(f'/proc/self/fd/{n}') for n in (3, 4)])"),
    { stdout: "[False, False]\n0\n" },
  ],
  [
    "leaves descriptors 3 and 4 to children of its child",
    forked("r, w = os.pipe(); pid = os.fork(); print(r, os.read(r, 9)) if pid else os.write(w, b'mine')"),
    { stdout: "3 b'mine'\n0\n" },
  ],
  ["leaves a child that goes on", `${sleeper}print('parent')`, { stdout: "parent\n" }],
  ["leaves a daemon", daemon("time.sleep(30)"), { stdout: "up\n" }],
  ["leaves a daemon without descriptors", daemon("os.closerange(0, 4096); time.sleep(30)"), { stdout: "up\n" }],
  ["leaves a daemon that falls off the end", daemon("os.closerange(0, 3)"), { stdout: "up\n" }],
  [
    "maps over a pool",
    `${start}def f(x): return x * x\nwith m.get_context('fork').Pool(2) as pool: print(pool.map(f, [1, 2]))`,
    { stdout: "[1, 4]\n" },
  ],
  [
    "leaves a pool",
    `${start}pool = m.get_context('fork').Pool(2)\nprint(pool.map(abs, [-1, 2]))`,
    { stdout: "[1, 2]\n" },
  ],
  [
    "joins a process",
    `${start}def f(): print('child'); sys.exit(4)\np = m.get_context('fork').Process(target=f)\np.start(); p.join(); print(p.exitcode)`,
    { stdout: "child\n4\n" },
  ],
  ["leaves a process", `${start}p = m.get_context('fork').Process(target=time.sleep, args=[0.05])\np.start()`, {}],
  [
    "spawns a process",
    `${start}p = m.get_context('spawn').Process(target=print, args=['child'])\np.start(); p.join()`,
    { stdout: "child\n" },
  ],
  [
    "uses an executor",
    `${start}from concurrent.futures import ProcessPoolExecutor as E\nwith E(2, mp_context=m.get_context('fork')) as e: print(list(e.map(abs, [-1])))`,
    { stdout: "[1]\n" },
  ],
  [
    "forks in a thread",
    `${start}def f():\n  pid = os.fork()\n  if pid: print(os.waitpid(pid, 0)[1])\nt = threading.Thread(target=f)\nt.start(); t.join()`,
    { stdout: "0\n" },
  ],
  ["leaves a thread", `${start}threading.Thread(target=time.sleep, args=[1], daemon=True).start()`, {}],
  ["leaves a thread that forks later", `${start}threading.Timer(0.02, os.fork).start()`, {}],
];

describe("a cell", () => {
  it.each(cells)("that %s is answered once, and by the kernel", async (_, code, expected) => {
    const result = await run(code);
    const { exitCode, stdout, stderr, rich, timedOut } = result;
    expect({ exitCode, stdout, stderr, rich, timedOut }).toMatchObject({
      ...{ exitCode: 0, stdout: "", stderr: "", rich: {}, timedOut: false },
      ...expected,
    });
    expect(result.durationMs).toBeLessThan(2_000);
    await expectHealth(result);
  });

  it.each([
    ["failed", "raise ValueError('child')", "1\n", /^ValueError: child$/gm],
    ["was interrupted", "os.kill(os.getpid(), 2); time.sleep(9)", "-2\n", /^KeyboardInterrupt:? *$/gm],
  ])("shows once that its child %s", async (_, child, stdout, line) => {
    const result = await run(forked(child));
    expect(result).toMatchObject({ exitCode: 0, stdout });
    expect(result.stderr.match(line)).toHaveLength(1);
    await expectHealth(result);
  });

  it("ends before a child that falls off the end, or fails, between the next ones", async () => {
    const result = await run(`${start}for end in (0, 1):\n  if os.fork() == 0: time.sleep(0.1); 1 / end; break\nNone`);
    expect(result).toMatchObject({ exitCode: 0, stdout: "", stderr: "" });
    const next = await run("time.sleep(0.3)");
    expect(next.stderr.match(/^ZeroDivisionError: /gm)).toHaveLength(1);
    await expectHealth(next);
  });

  it("uses the pool that an earlier one made, past a child that ended", async () => {
    await run(`${start}pool = m.get_context('fork').Pool(2)`);
    await run(forked("pass"));
    const result = await run("print(pool.map(abs, [-3]))");
    expect(result).toMatchObject({ exitCode: 0, stdout: "[3]\n", stderr: "" });
    await expectHealth(result);
  });

  it("forks many children, and none of them stays", async () => {
    const result = await run(`${start}for _ in range(24):\n  if os.fork() == 0: break\nNone`);
    expect(result).toMatchObject({ exitCode: 0, stdout: "", stderr: "" });
    await expectHealth(result);
    await until(() => childrenOf(result.pid).every((pid) => !lives(pid)));
  });

  it("is interrupted when its time is over, with the child it waits for", async () => {
    const code = `${start}pid = os.fork()\nif pid: print(pid, flush=True); os.wait()\nelse: time.sleep(30)`;
    const result = await run(code, { timeoutMs: 300 });
    expect(result).toMatchObject({ exitCode: 124, timedOut: true });
    expect(result.stderr).toContain("The kernel keeps its variables.");
    await until(() => !lives(Number(result.stdout)));
    expect(await run("pid")).toMatchObject({ exitCode: 0, pid: result.pid, rich: { result: result.stdout.trim() } });
  });

  it("may end the kernel while a daemon of it lives, which goes along", async () => {
    const code = `${start}pid = os.fork()\nif pid == 0: os.setsid(); time.sleep(30)\nprint(pid, flush=True)\nos._exit(3)`;
    const result = await run(code);
    expect(result.exitCode).toBe(3);
    expect(result.durationMs).toBeLessThan(2_000);
    await until(() => !lives(Number(result.stdout)));
    expect(await run("1 + 1")).toMatchObject({ exitCode: 0, rich: { result: "2" }, executionCount: 1 });
  });

  it("hears nothing of a child that was forked without the interpreter's knowledge", async () => {
    const code = `${start}import ctypes\npid = ctypes.CDLL(None).fork()\nif pid: print(os.waitpid(pid, 0)[1])`;
    const result = await run(code);
    expect(result).toMatchObject({ exitCode: 0, stdout: "0\n", stderr: "" });
    await expectHealth(result);
  });
});
