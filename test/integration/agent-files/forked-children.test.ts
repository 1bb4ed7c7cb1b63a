import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { until } from "../agent/agent-process.ts";
import { type ForkedPython, lives, makeForkedPython } from "./forked-python.ts";

let python: ForkedPython;

beforeAll(async () => {
  python = makeForkedPython();
  await python.ready();
});
afterAll(() => python.stop());

/** The next program is forked from the same server, and at once. */
async function expectHealth(): Promise<void> {
  expect(python.servers).toHaveLength(1);
  const next = await python.run("print('next')");
  expect(next).toMatchObject({ exitCode: 0, stdout: "next\n", stderr: "" });
  expect(next.durationMs).toBeLessThan(1_000);
}

const sleeper = "import os, time\nif os.fork() == 0:\n  time.sleep(30)\n";

const programs: Readonly<Record<string, string>> = {
  "leaves a child that goes on": `${sleeper}print('parent')`,
  "leaves a child that goes on, and exits with a number": `${sleeper}raise SystemExit(7)`,
  "leaves a child that goes on, and fails": `${sleeper}raise ValueError('no')`,
  "leaves a child that goes on, and dies of a signal": `${sleeper}os.kill(os.getpid(), 15)`,
  "forks a child that falls off the end":
    "import os, time\npid = os.fork()\nif pid: os.waitpid(pid, 0); print('parent')",
  "ends before a child that falls off the end": "import os, time\nif os.fork() == 0: time.sleep(0.05)\n'shown'",
  "forks a child that exits":
    "import os, sys\npid = os.fork()\nif pid == 0: sys.exit(5)\nprint(os.waitpid(pid, 0)[1] >> 8)",
  "forks a child that fails":
    "import os, sys\npid = os.fork()\nif pid == 0: raise ValueError('child')\nprint(os.waitpid(pid, 0)[1] >> 8)",
  "forks a child in a function that returns":
    "import os\ndef f():\n  pid = os.fork()\n  if pid: os.waitpid(pid, 0)\n  return pid\nf() > 0",
  "leaves a daemon":
    "import os, time\nif os.fork() == 0:\n  os.setsid()\n  if os.fork(): os._exit(0)\n  time.sleep(30)\nos.wait()\nprint('up')",
  "leaves a daemon without descriptors":
    "import os, time\nif os.fork() == 0:\n  os.setsid()\n  if os.fork(): os._exit(0)\n  os.closerange(0, 4096)\n  time.sleep(30)\nos.wait()\nprint('up')",
  "maps over a pool":
    "import multiprocessing as m\ndef f(x): return x * x\nwith m.get_context('fork').Pool(2) as pool: print(pool.map(f, [1, 2]))",
  "leaves a pool": "import multiprocessing as m\npool = m.get_context('fork').Pool(2)\nprint(pool.map(abs, [-1, 2]))",
  "joins its processes at the end":
    "import multiprocessing as m, time\ndef f(): time.sleep(0.1); print('child')\nm.get_context('fork').Process(target=f).start()",
  "uses an executor":
    "from concurrent.futures import ProcessPoolExecutor as E\nimport multiprocessing as m\nwith E(2, mp_context=m.get_context('fork')) as e: print(list(e.map(abs, [-1, 2])))",
  "forks in a thread":
    "import os, threading\ndef f():\n  pid = os.fork()\n  if pid: print(os.waitpid(pid, 0)[1])\nt = threading.Thread(target=f)\nt.start()\nt.join()",
  "shows a value, and leaves a child": `${sleeper}{'a': 1}`,
};

describe("a forked program", () => {
  it.each(Object.entries(programs))("that %s is answered as python3 answers it", async (_, code) => {
    const plain = await python.runPlain(code);
    const forked = await python.run(code);
    const { exitCode, stdout, stderr, rich, timedOut } = forked;
    expect({ exitCode, stdout, stderr, rich, timedOut }).toEqual({
      ...{ exitCode: plain.exitCode, stdout: plain.stdout, stderr: plain.stderr, rich: plain.rich, timedOut: false },
    });
    expect(forked.durationMs).toBeLessThan(plain.durationMs + 500);
    await expectHealth();
  });

  const leave = "import os, time\npid = os.fork()\nif pid == 0:\n  time.sleep(30)\nprint(pid, flush=True)\n";

  it("is told from the others that run and leave children at the same time", async () => {
    const numbers = Array.from({ length: 24 }, (_, number) => number);
    const code = (number: number) =>
      `import os, time\nif os.fork() == 0: time.sleep(1); os._exit(0)\nprint(${number})\nraise SystemExit(${number})`;
    const results = await Promise.all(numbers.map((number) => python.runEither(code(number))));
    expect(results.map(({ exitCode }) => exitCode)).toEqual(numbers);
    expect(results.map(({ stdout }) => stdout)).toEqual(numbers.map((number) => `${number}\n`));
    await expectHealth();
  });

  it("leaves its child living when it ends by itself", async () => {
    const { stdout } = await python.run(leave);
    expect(lives(Number(stdout))).toBe(true);
    process.kill(Number(stdout), "SIGKILL");
  });

  it.each([
    ["its child", leave],
    ["its daemon", leave.replace("time.sleep", "os.setsid(); time.sleep")],
  ])("takes %s along when its time is over", async (_, code) => {
    const { stdout, exitCode, timedOut } = await python.run(`${code}time.sleep(30)`, { timeoutMs: 300 });
    expect([exitCode, timedOut]).toEqual([124, true]);
    await until(() => !lives(Number(stdout)));
    await expectHealth();
  });

  it("takes its child along when it is given up", async () => {
    const signal = AbortSignal.timeout(300);
    const { stdout } = await python.run(`${leave}time.sleep(30)`, { signal });
    await until(() => !lives(Number(stdout)));
    await expectHealth();
  });
});
