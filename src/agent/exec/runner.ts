import { type ChildProcess, spawn } from "node:child_process";
import { constants } from "node:os";
import { type Readable, Writable } from "node:stream";
import { killRun, signalProcess } from "./kill-run.ts";
import type { Marks } from "./marks.ts";
import { makeCappedOutput } from "./output.ts";
import type { Runner, RunRequest, RunResult } from "./run.ts";
import { explainSpawnFailure } from "./spawn-failure.ts";

export interface RunnerOptions {
  /** Absent: the agent's own. */
  readonly uid?: number;
  readonly gid?: number;
  readonly marks: Marks;
  /** Bytes per stream that are kept. */
  readonly outputLimit?: number;
  /** Between SIGTERM and SIGKILL. */
  readonly graceMs?: number;
}

/** How long after its end a run may still be read: processes it left in the background hold its pipes open. */
const lingerMs = 150;

interface Capture {
  readonly bytes: () => Buffer | undefined;
}

function capture(stream: Readable, limit: number): Capture {
  const chunks: Buffer[] = [];
  let size = 0;
  stream.on("data", (chunk: Buffer) => {
    size += chunk.length;
    if (size <= limit) chunks.push(chunk);
    else chunks.length = 0;
  });
  stream.on("error", () => {});
  return { bytes: () => (size > limit ? undefined : Buffer.concat(chunks)) };
}

/** Writes and closes. A child that does not read is no failure. */
function feed(stream: unknown, text: string): void {
  if (!(stream instanceof Writable)) return;
  stream.on("error", () => {});
  stream.end(text);
}

/** Goes on reading what background processes write, so that they neither block nor die of it. */
function drain(child: ChildProcess): void {
  for (const stream of [child.stdout, child.stderr, child.stdio[4]]) {
    if (stream === null || stream === undefined || !("resume" in stream)) continue;
    stream.removeAllListeners("data");
    stream.resume();
  }
}

function exitCodeOf(code: number | null, signal: NodeJS.Signals | null): number {
  if (code !== null) return code;
  return signal === null ? 1 : 128 + constants.signals[signal];
}

/** Resolves when the process has ended and its output is read, or `lingerMs` after its end. Rejects when it never started. */
function ended(child: ChildProcess): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
  return new Promise((resolve, reject) => {
    child.on("error", (error) => {
      if (child.pid === undefined) reject(error);
    });
    child.on("exit", (code, signal) => {
      const timer = setTimeout(() => {
        drain(child);
        resolve({ code, signal });
      }, lingerMs);
      child.on("close", () => {
        clearTimeout(timer);
        resolve({ code, signal });
      });
    });
  });
}

function start(request: RunRequest, options: RunnerOptions, mark: number): ChildProcess {
  const pipes: ("pipe" | "ignore")[] = [request.stdin === undefined ? "ignore" : "pipe", "pipe", "pipe"];
  if (request.code !== undefined || request.reportLimit !== undefined) {
    pipes.push(request.code === undefined ? "ignore" : "pipe", request.reportLimit === undefined ? "ignore" : "pipe");
  }
  return options.marks.during(mark, () =>
    spawn(request.file, [...request.args], {
      cwd: request.cwd,
      env: { ...request.env },
      stdio: pipes,
      detached: true,
      ...(options.uid === undefined ? {} : { uid: options.uid }),
      ...(options.gid === undefined ? {} : { gid: options.gid }),
    }),
  );
}

function noteOf(stopped: string | undefined, signal: NodeJS.Signals | null): string {
  if (stopped !== undefined) return `${stopped}\n`;
  if (signal !== "SIGKILL") return "";
  return "Killed by SIGKILL: the memory limit of the sandbox may have been reached.\n";
}

function withNote(stderr: string, note: string): string {
  return note === "" || stderr === "" || stderr.endsWith("\n") ? stderr + note : `${stderr}\n${note}`;
}

/** Watches the clock and the caller; `stopped` says why it ended the run. */
function supervise(request: RunRequest, options: RunnerOptions, group: number, mark: number) {
  let stopped: "timeout" | "abort" | undefined;
  let killer: NodeJS.Timeout | undefined;
  const stop = (why: "timeout" | "abort") => {
    if (stopped !== undefined) return;
    stopped = why;
    signalProcess(-group, "SIGTERM");
    killer = setTimeout(() => killRun(group, mark, options.marks), options.graceMs ?? 500);
  };
  const timer = setTimeout(() => stop("timeout"), request.timeoutMs);
  const onAbort = () => stop("abort");
  request.signal.addEventListener("abort", onAbort);
  if (request.signal.aborted) stop("abort");
  return {
    /** After the end of the main process: nothing of a run that we stopped may live on. */
    finish() {
      clearTimeout(timer);
      clearTimeout(killer);
      request.signal.removeEventListener("abort", onAbort);
      if (stopped !== undefined) killRun(group, mark, options.marks);
      return stopped;
    },
  };
}

async function runChild(request: RunRequest, options: RunnerOptions, mark: number): Promise<RunResult> {
  const startedAt = performance.now();
  const child = start(request, options, mark);
  const end = ended(child);
  const stdout = makeCappedOutput(options.outputLimit);
  const stderr = makeCappedOutput(options.outputLimit);
  child.stdout?.on("data", (chunk: Buffer) => stdout.push(chunk)).on("error", () => {});
  child.stderr?.on("data", (chunk: Buffer) => stderr.push(chunk)).on("error", () => {});
  if (request.stdin !== undefined) feed(child.stdin, request.stdin);
  if (request.code !== undefined) feed(child.stdio[3], request.code);
  const channel = child.stdio[4];
  const report =
    request.reportLimit !== undefined && channel !== null && channel !== undefined && "read" in channel
      ? capture(channel, request.reportLimit)
      : undefined;
  if (child.pid === undefined) {
    await end;
    throw new Error("a process without id must have failed to start");
  }
  const supervisor = supervise(request, options, child.pid, mark);
  child.on("exit", () => supervisor.finish());
  const { code, signal } = await end;
  const stopped = supervisor.finish();
  const seconds = request.timeoutMs / 1000;
  const why =
    stopped === "timeout" ? `Execution timed out after ${seconds} s and was killed.` : "Execution was cancelled.";
  return {
    stdout: stdout.text(),
    stderr: withNote(stderr.text(), noteOf(stopped === undefined ? undefined : why, signal)),
    exitCode: stopped === "timeout" ? 124 : exitCodeOf(code, signal),
    timedOut: stopped === "timeout",
    durationMs: performance.now() - startedAt,
    pid: child.pid,
    report: report?.bytes(),
  };
}

/**
 * Runs processes under the user's uid, each in its own session. A process that the run leaves in the background on its own accord
 * lives on; after a timeout or a cancellation nothing does.
 */
export function makeRunner(options: RunnerOptions): Runner {
  return async (request) => {
    const mark = options.marks.take();
    try {
      return await runChild(request, options, mark);
    } catch (error) {
      const failure = explainSpawnFailure(error, request.file, request.cwd);
      return { ...failure, stdout: "", timedOut: false, durationMs: 0, pid: 0, report: undefined };
    } finally {
      options.marks.release(mark);
    }
  };
}
