import { type ChildProcess, spawn } from "node:child_process";
import { constants } from "node:os";
import type { Runner, RunRequest, RunResult } from "./run.ts";
import { noteOf } from "./run-note.ts";
import { type Ended, untilEnd } from "./runner-end.ts";
import { connectPipes, type Pipes, pipesOf } from "./runner-pipes.ts";
import { explainSpawnFailure } from "./spawn-failure.ts";
import { type SuperviseOptions, supervise } from "./supervise.ts";

export interface RunnerOptions extends SuperviseOptions {
  /** Absent: the agent's own. */
  readonly uid?: number;
  readonly gid?: number;
  /** Bytes per stream that are kept. */
  readonly outputLimit?: number;
}

function exitCodeOf({ code, signal }: Ended): number {
  if (code !== null) return code;
  return signal === null ? 1 : 128 + constants.signals[signal];
}

function start(request: RunRequest, options: RunnerOptions, mark: number): ChildProcess {
  return options.marks.during(mark, () =>
    spawn(request.file, [...request.args], {
      cwd: request.cwd,
      env: { ...request.env },
      stdio: pipesOf(request),
      detached: true,
      ...(options.uid === undefined ? {} : { uid: options.uid }),
      ...(options.gid === undefined ? {} : { gid: options.gid }),
    }),
  );
}

/** Adds a line of ours to stderr, for the listener as for the result. */
function addNote({ stderr }: Pipes, note: string, onOutput: RunRequest["onOutput"]): void {
  if (note === "") return;
  const before = stderr.text();
  const line = Buffer.from(before === "" || before.endsWith("\n") ? note : `\n${note}`);
  stderr.push(line);
  void onOutput?.("stderr", line);
}

async function runChild(request: RunRequest, options: RunnerOptions, mark: number): Promise<RunResult> {
  const startedAt = performance.now();
  const child = start(request, options, mark);
  const pipes = connectPipes(child, request, request.outputLimit ?? options.outputLimit);
  const end = untilEnd(child, pipes);
  if (child.pid === undefined) {
    await end;
    throw new Error("a process without id must have failed to start");
  }
  const supervisor = supervise(request, options, child.pid, mark);
  child.on("exit", () => supervisor.finish());
  request.onStart?.(child.pid);
  const ended = await end;
  const stopped = supervisor.finish();
  addNote(pipes, noteOf(stopped, request.timeoutMs, ended.signal === "SIGKILL"), request.onOutput);
  return {
    stdout: pipes.stdout.text(),
    stderr: pipes.stderr.text(),
    exitCode: stopped === "timeout" ? 124 : exitCodeOf(ended),
    timedOut: stopped === "timeout",
    durationMs: performance.now() - startedAt,
    pid: child.pid,
    report: pipes.report(),
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
      void request.onOutput?.("stderr", Buffer.from(failure.stderr));
      return { ...failure, stdout: "", timedOut: false, durationMs: 0, pid: 0, report: undefined };
    } finally {
      options.marks.release(mark);
    }
  };
}
