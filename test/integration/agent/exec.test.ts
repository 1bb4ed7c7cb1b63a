import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { commandResponseSchema } from "#contracts/agent/commands.ts";
import { executeResponseSchema } from "#contracts/agent/exec.ts";
import { type AgentProcess, startAgent, until } from "./agent-process.ts";

const root = join(import.meta.dirname, "../../..");
let agent: AgentProcess;

beforeAll(async () => {
  agent = await startAgent();
  mkdirSync(join(agent.directory, "tools/bin"), { recursive: true });
  symlinkSync(join(root, "node_modules/.bin/esbuild"), join(agent.directory, "tools/bin/esbuild"));
});
afterAll(() => agent.stop());

async function execute(language: string, code: string, more: Readonly<Record<string, unknown>> = {}) {
  const { status, body } = await agent.ask("POST", "/execute", { language, code, workdir: agent.directory, ...more });
  expect([status, body["code"]]).toEqual([200, undefined]);
  return { ...executeResponseSchema.parse(body), timed_out: body["timed_out"] };
}

async function command(body: Readonly<Record<string, unknown>>) {
  const answer = await agent.ask("POST", "/commands/run", { workdir: agent.directory, ...body });
  expect(answer.status).toBe(200);
  return commandResponseSchema.parse(answer.body);
}

/** Whether a process with this argument lives; the tests use arguments that occur once. */
function lives(argument: string): boolean {
  return readdirSync("/proc").some((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").includes(argument);
    } catch {
      return false;
    }
  });
}

describe("languages", () => {
  it("run python as __main__ from the working directory, without leaving a file", async () => {
    const before = readdirSync(agent.directory);
    const run = await execute("python3", "import os\nprint(__name__, os.getcwd())");
    expect(run).toMatchObject({
      success: true,
      stdout: `__main__ ${agent.directory}\n`,
      exit_code: 0,
      language: "python",
    });
    expect(readdirSync(agent.directory)).toEqual(before);
  });

  it("show python tracebacks with the program's own lines only", async () => {
    const { stderr, exit_code: code } = await execute("python", "def f():\n    raise ValueError('no')\n\nf()\n");
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^Traceback.*\n.*line 4, in <module>\n {4}f\(\)\n.*line 2, in f\n {4}raise ValueError\('no'\)\nValueError: no\n$/,
    );
  });

  it.each([
    ["js", "const fs = require('fs'); console.log(typeof fs.readFileSync); process.exit(3)", "function\n", 3],
    ["node", "import { sep } from 'node:path'; console.log(await Promise.resolve(sep))", "/\n", 0],
    ["typescript", "const a: number = 4; console.log(a as unknown); process.exit(a)", "4\n", 4],
    ["sh", "echo $((1 + 1)); exit 5", "2\n", 5],
  ])("run %s", async (language, code, stdout, exitCode) => {
    expect(await execute(language, code)).toMatchObject({ stdout, exit_code: exitCode, success: exitCode === 0 });
  });

  it.runIf(existsSync("/usr/local/go/bin/go"))("run go with its own exit code, without leaving a file", async () => {
    const code = 'package main\nimport ("fmt"; "os")\nfunc main() { fmt.Println("hi"); os.Exit(5) }';
    expect(await execute("golang", code)).toMatchObject({ stdout: "hi\n", stderr: "", exit_code: 5 });
    expect(readdirSync("/tmp").filter((name) => name.startsWith("bulkhead-go-"))).toEqual([]);
  });

  it("report a TypeScript syntax error as a failed run", async () => {
    const run = await execute("ts", "const a: = 1");
    expect(run.exit_code).toBe(1);
    expect(run.stderr).toContain("main.ts:1");
  });

  it("take bash programs longer than one argument may be", async () => {
    expect(await execute("bash", `echo '${"x".repeat(200_000)}' | wc -c`)).toMatchObject({ stdout: "200001\n" });
  });

  it("that are unknown are refused with those that are installed", async () => {
    const { status, body } = await agent.ask("POST", "/execute", { code: "1", language: "cobol" });
    expect([status, body["code"]]).toEqual([400, "UNSUPPORTED_LANGUAGE"]);
    expect(body["error"]).toContain("python, javascript, typescript, bash");
  });
});

describe("a run out of time", () => {
  it("is killed with all it started, whatever group, session or signal handler that has", async () => {
    const code = `trap '' TERM
      (trap '' TERM; sleep 4711.1) &
      setsid sleep 4711.2 &
      setsid bash -c '(sleep 4711.3 &)' &
      while true; do sleep 0.05; done`;
    const run = await execute("bash", code, { timeout: 1 });
    expect(run).toMatchObject({ success: false, exit_code: 124, timed_out: true });
    expect(run.stderr).toContain("timed out after 1 s");
    await until(() => !["4711.1", "4711.2", "4711.3"].some(lives));
  });

  it("is answered with the output until then", async () => {
    expect(await execute("bash", "echo so far; sleep 60", { timeout: 0.5 })).toMatchObject({ stdout: "so far\n" });
  });
});

describe("output", () => {
  it("of a gigabyte is cut with a marker while the run goes on", async () => {
    const run = await execute("bash", "head -c 1000000000 /dev/zero | tr '\\0' x; echo the end");
    expect(run.exit_code).toBe(0);
    expect(run.stdout.length).toBeLessThan(1_100_000);
    expect(run.stdout).toMatch(/\n\[output truncated: 998951\d{3} bytes dropped\]\n/);
    expect(run.stdout.endsWith("xthe end\n")).toBe(true);
  });

  it("that is not UTF-8 does not break the answer", async () => {
    expect(await execute("bash", "printf '\\xff\\xfea'")).toMatchObject({ success: true, stdout: "\ufffd\ufffda" });
  });
});

describe("how a run ends", () => {
  it("by SIGKILL from elsewhere hints at memory", async () => {
    const run = await execute("bash", "kill -9 $$");
    expect(run.exit_code).toBe(137);
    expect(run.stderr).toContain("memory limit");
  });

  it("when the caller hangs up", async () => {
    const body = JSON.stringify({ command: "sleep", args: ["4712.5"], workdir: agent.directory });
    const sent = agent.open({ method: "POST", path: "/commands/run" });
    sent.on("error", () => {});
    sent.end(body);
    await until(() => lives("4712.5"));
    sent.destroy();
    await until(() => !lives("4712.5"));
  });

  it("with a process left in the background, which lives on", async () => {
    expect(await execute("bash", "sleep 4713.5 & echo started")).toMatchObject({ stdout: "started\n", exit_code: 0 });
    expect(lives("4713.5")).toBe(true);
    await command({ command: "pkill -f 'sleep 4713[.]5'" });
  });
});

describe("commands", () => {
  it("are a program with arguments or a line for a shell", async () => {
    expect(await command({ command: "printf", args: ["%s-", "a b", "c"] })).toMatchObject({
      stdout: "a b-c-",
      exit_code: 0,
    });
    expect(await command({ command: "echo hi | tr h j" })).toMatchObject({
      stdout: "ji\n",
      command: "echo hi | tr h j",
    });
  });

  it("that cannot be found or run end as in a shell", async () => {
    expect(await command({ command: "no-such-program", args: ["x"] })).toMatchObject({
      exit_code: 127,
      success: false,
    });
    expect(await command({ command: "/etc/passwd", args: ["x"] })).toMatchObject({ exit_code: 126 });
  });

  it("in a directory that does not exist are refused", async () => {
    const { status, body } = await agent.ask("POST", "/commands/run", { command: "ls", workdir: "/no/such" });
    expect([status, body["code"]]).toEqual([404, "DIRECTORY_NOT_FOUND"]);
    expect(existsSync("/no/such")).toBe(false);
  });

  it("see the request's environment over the sandbox's, and nothing of the agent's own", async () => {
    await agent.ask("PUT", "/env", { env_vars: { A: "sandbox", B: "sandbox" } });
    const { stdout } = await command({ command: "env", env: { A: "request" } });
    const lines = stdout.split("\n");
    expect(lines).toEqual(expect.arrayContaining(["A=request", "B=sandbox", "TZ=UTC", `HOME=${agent.directory}`]));
    expect(stdout).not.toContain("BULKHEAD_");
    await agent.ask("DELETE", "/env");
  });

  it("inherit no socket of the agent", async () => {
    const { stdout } = await command({ command: "ls -l /proc/self/fd | grep socket: | wc -l" });
    // Its stderr: stdout of ls is a pipe of the shell.
    expect(stdout).toBe("1\n");
  });
});
