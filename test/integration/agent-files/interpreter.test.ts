import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { systemClock } from "#agent/clock.ts";
import { makeMarks } from "#agent/exec/marks.ts";
import type { RichResult } from "#agent/exec/run.ts";
import { makeRunner } from "#agent/exec/runner.ts";
import { makeRunPython } from "#agent/interpreter/run-python.ts";
import { makeActiveTimers } from "#agent/timers.ts";

let directory: string;

/** Stand-ins with the few names that run.py looks at, so that no packages need be installed here. */
const libraries: Readonly<Record<string, string>> = {
  "matplotlib/__init__.py": "",
  "matplotlib/figure.py": [
    "class Figure:",
    "    def __init__(self, number): self.number = number",
    "    def savefig(self, target, **options): target.write(b'png%d' % self.number)",
  ].join("\n"),
  "matplotlib/pyplot.py": [
    "from matplotlib.figure import Figure",
    "made = {}",
    "count = 0",
    "def figure(number=None):",
    "    global count",
    "    if number in made: return made[number]",
    "    count += 1",
    "    made[count] = Figure(count)",
    "    return made[count]",
    "def get_fignums(): return sorted(made)",
    "def close(*_): made.clear()",
    "def show(): raise RuntimeError('no screen')",
  ].join("\n"),
  "pandas/__init__.py": [
    "class DataFrame:",
    "    def _repr_html_(self): return '<table>'",
    "    def to_json(self, **options): return '[{\"a\": 1}]'",
    "    def __len__(self): return 1",
    "    def __repr__(self): return 'frame'",
  ].join("\n"),
};

beforeAll(() => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), "bulkhead-python-")));
  for (const [name, text] of Object.entries(libraries)) {
    mkdirSync(join(directory, "lib", name, ".."), { recursive: true });
    writeFileSync(join(directory, "lib", name), text);
  }
  mkdirSync(join(directory, "work"));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function run(code: string): Promise<RichResult> {
  const runPython = makeRunPython({
    run: makeRunner({ marks: makeMarks(), timers: makeActiveTimers(systemClock) }),
    tools: join(process.cwd(), "src/agent/tools"),
  });
  return runPython({
    file: "/usr/bin/python3",
    code,
    cwd: join(directory, "work"),
    env: { PATH: "/usr/bin:/bin", PYTHONPATH: join(directory, "lib"), PYTHONDONTWRITEBYTECODE: "1" },
    timeoutMs: 30_000,
    signal: new AbortController().signal,
  });
}

const png = (text: string) => Buffer.from(text).toString("base64");

describe("python with rich output", () => {
  it("keeps stdout for the program and reports nothing when nothing is shown", async () => {
    const result = await run("x = 1\nprint('hi')");
    expect(result).toMatchObject({ exitCode: 0, stdout: "hi\n", stderr: "" });
    expect(result.rich).toBeUndefined();
  });

  it.each([
    ["a number", "x = 20\nx + 1", { result: "21" }],
    ["a dict", "{'a': [1, None]}", { result: "{'a': [1, None]}", json: { a: [1, null] } }],
    ["what JSON does not know", "[float('nan')]", { result: "[nan]" }],
    ["a frame", "import pandas\npandas.DataFrame()", { result: "frame", html: "<table>", dataframe: [{ a: 1 }] }],
    [
      "markdown",
      "class A:\n  __repr__ = lambda s: 'A'\n  def _repr_markdown_(s): return '# a'\nA()",
      { result: "A", markdown: "# a" },
    ],
    [
      "an svg",
      "class A:\n  __repr__ = lambda s: 'A'\n  def _repr_svg_(s): return '<svg/>'\nA()",
      { result: "A", svg: "<svg/>" },
    ],
    ["a figure left open", "import matplotlib.pyplot as plt\nf = plt.figure()", { png: png("png1") }],
    [
      "a figure shown and closed",
      "import matplotlib.pyplot as plt\nf = plt.figure()\nplt.show()\nplt.close()",
      { png: png("png1") },
    ],
    [
      "a figure as last value",
      "import matplotlib.pyplot as plt\nf = plt.figure()\nplt.close()\nf",
      { png: png("png1") },
    ],
    ["display()", "display({'k': 1})\nx = 2", { json: { k: 1 } }],
  ])("shows %s", async (_what, code, rich) => {
    const result = await run(code);
    expect([result.exitCode, result.stderr]).toEqual([0, ""]);
    expect(result.rich).toEqual(rich);
  });

  it("says when there were more figures than fit", async () => {
    const result = await run("import matplotlib.pyplot as plt\nplt.figure(); plt.figure()\nNone");
    expect(result.rich).toEqual({ png: png("png2") });
    expect(result.stderr).toBe("[bulkhead] 2 figures were shown; png holds the last\n");
  });

  it("leaves out what is too large, and says so", async () => {
    const result = await run("class A:\n  __repr__ = lambda s: 'A'\n  def _repr_html_(s): return 'x' * 9_000_000\nA()");
    expect(result.rich).toEqual({ result: "A" });
    expect(result.stderr).toContain("html output left out: 9000000 bytes");
  });

  it("still shows figures of a program that failed, and only the program's own lines", async () => {
    const result = await run(
      "import matplotlib.pyplot as plt\nplt.figure()\ndef f():\n    raise ValueError('no')\nf()",
    );
    expect(result.exitCode).toBe(1);
    expect(result.rich).toEqual({ png: png("png1") });
    expect(result.stderr.split("\n").map((line) => line.trim())).toEqual([
      "Traceback (most recent call last):",
      `File "${directory}/work/<code>.py", line 5, in <module>`,
      "f()",
      `File "${directory}/work/<code>.py", line 4, in f`,
      "raise ValueError('no')",
      "ValueError: no",
      "",
    ]);
  });

  it("answers syntax errors as python does", async () => {
    const { exitCode, stderr } = await run("1 +");
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^ {2}File ".*<code>\.py", line 1\n {4}1 \+\n.*\nSyntaxError: invalid syntax\n$/);
  });

  it("is __main__, imports from its directory, and keeps its exit code", async () => {
    writeFileSync(join(directory, "work/neighbour.py"), "value = 7");
    const result = await run("import neighbour, sys\nprint(__name__, neighbour.value, len(sys.argv))\nsys.exit(3)");
    expect([result.exitCode, result.stdout]).toEqual([3, "__main__ 7 1\n"]);
  });

  it("shares nothing between runs", async () => {
    await run("shared = 1");
    expect((await run("shared")).stderr).toContain("NameError");
  });

  it("is not led astray by children or by lies on the descriptor", async () => {
    expect((await run("import os\nif os.fork(): os.wait()\n5")).rich).toEqual({ result: "5" });
    const lie = await run('import os\nos.write(4, b\'{"png": 5, "html": []}\')\nos._exit(0)');
    expect([lie.exitCode, lie.rich]).toEqual([0, {}]);
    expect((await run("import os\nos.write(4, b'nonsense')\nx = 1")).rich).toBeUndefined();
  });
});
