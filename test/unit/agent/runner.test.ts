import { describe, expect, it } from "vitest";
import { makeMarks } from "#agent/exec/marks.ts";
import type { RunRequest } from "#agent/exec/run.ts";
import { makeRunner } from "#agent/exec/runner.ts";
import { until } from "#test/e2e/support/until.ts";

/** Timeouts pass when the test says so. */
function makeTimers() {
  const waiting = new Map<number, () => void>();
  return {
    waiting,
    after(delayMs: number, callback: () => void) {
      waiting.set(delayMs, callback);
      return () => void waiting.delete(delayMs);
    },
  };
}

const marks = makeMarks({ readOwn: () => undefined, writeOwn() {}, all: () => [] });

function runShell(script: string, more: Partial<RunRequest> = {}, timers = makeTimers()) {
  const run = makeRunner({ marks, timers });
  const { signal } = new AbortController();
  const env = { PATH: process.env["PATH"] ?? "" };
  return run({ file: "/bin/sh", args: ["-c", script], cwd: "/", env, timeoutMs: 30_000, signal, ...more });
}

describe("a listener", () => {
  it("gets each stream's output beside the result, and the start", async () => {
    const heard = { stdout: "", stderr: "" };
    const pids: number[] = [];
    const result = await runShell("echo out; echo err >&2; exit 3", {
      onOutput(name, chunk) {
        heard[name] += chunk.toString();
        return undefined;
      },
      onStart: (pid) => pids.push(pid),
    });
    expect(heard).toEqual({ stdout: "out\n", stderr: "err\n" });
    expect(result).toMatchObject({ ...heard, exitCode: 3, pid: pids[0] });
  });

  it("holds the process back while it is behind", async () => {
    let heard = 0;
    let goOn = (): void => {};
    let ended = false;
    const running = runShell("head -c 3000000 /dev/zero", {
      onOutput(_, chunk) {
        heard += chunk.length;
        return new Promise((resolve) => (goOn = resolve));
      },
    }).finally(() => (ended = true));
    await until("output", () => heard > 0);
    const early = heard;
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(heard).toBe(early);
    await until(
      "end",
      () => {
        goOn();
        return ended;
      },
      { everyMs: 1 },
    );
    expect(heard).toBe(3_000_000);
    expect((await running).exitCode).toBe(0);
  });

  it("gets what the process wrote before its end however late, also when a background process holds the pipe", async () => {
    let heard = "";
    const releases: (() => void)[] = [];
    const running = runShell("sleep 300 & echo pid $!; printf %065000d 7", {
      onOutput(_, chunk) {
        heard += chunk.toString();
        return new Promise((resolve) => releases.push(resolve));
      },
    });
    // Far longer than a run is read after its end when nobody is behind.
    await until("output", () => heard.length > 0);
    await new Promise((resolve) => setTimeout(resolve, 400));
    const timer = setInterval(() => releases.shift()?.(), 200);
    const result = await running;
    clearInterval(timer);
    const [, pid = "0"] = /^pid (\d+)\n/.exec(heard) ?? [];
    process.kill(Number(pid), "SIGKILL");
    expect(heard.endsWith("7")).toBe(true);
    expect(result.stdout).toBe(heard);
  });

  it("does not wait for what background processes write for ever", async () => {
    let heard = "";
    const result = await runShell("yes & echo pid $!", {
      onOutput(_, chunk) {
        heard += heard.length < 100 ? chunk.toString() : "";
        return new Promise((resolve) => setTimeout(resolve, 1));
      },
    });
    const [, pid = "0"] = /^pid (\d+)\n/m.exec(heard) ?? [];
    process.kill(Number(pid), "SIGKILL");
    expect(result.exitCode).toBe(0);
  });

  it("hears our last words too", async () => {
    const timers = makeTimers();
    let heard = "";
    const onOutput: RunRequest["onOutput"] = (_, chunk) => {
      heard += chunk.toString();
      return undefined;
    };
    const running = runShell("printf half >&2; exec sleep 300", { timeoutMs: 1_500, onOutput }, timers);
    await until("output", () => heard === "half");
    timers.waiting.get(1_500)?.();
    const result = await running;
    expect(result).toMatchObject({ exitCode: 124, timedOut: true });
    expect(heard).toBe("half\nExecution timed out after 1.5 s and was killed.\n");
    expect(result.stderr).toBe(heard);
    expect(timers.waiting.size).toBe(0);
  });

  it("hears why nothing was started", async () => {
    let heard = "";
    const result = await runShell("", {
      file: "no-such-program",
      onOutput(_, chunk) {
        heard += chunk.toString();
        return undefined;
      },
    });
    expect(result).toMatchObject({ exitCode: 127, pid: 0, stderr: heard });
    expect(heard).toBe("no-such-program: command not found\n");
  });
});
