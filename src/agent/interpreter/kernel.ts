import { randomBytes } from "node:crypto";
import { BulkheadError } from "#contracts/errors.ts";
import type { AgentClock } from "../clock.ts";
import { makeCappedOutput } from "../exec/output.ts";
import type { OutputListener, RichResult } from "../exec/run.ts";
import type { ActiveTimers } from "../timers.ts";
import type { KernelProcess } from "./kernel-process.ts";
import { notesOf, richOf } from "./rich-report.ts";

export interface Cell {
  readonly code: string;
  /** Variables of this cell alone. */
  readonly env: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  readonly onOutput?: OutputListener;
}

export interface CellResult extends RichResult {
  /** Cells this kernel has run, this one included; 0 when it did not get to its end. */
  readonly executionCount: number;
}

export interface KernelOptions {
  /** Starts an interpreter that says `{ready}` or `{missing}` first. @throws what `spawn` throws */
  readonly start: () => KernelProcess;
  /** The sandbox's variables as they are now. */
  readonly sandboxEnv: () => Readonly<Record<string, string>>;
  readonly timers: Pick<ActiveTimers, "after">;
  readonly clock: AgentClock;
}

/** One interpreter that keeps its variables, and its successors. */
export interface Kernel {
  readonly state: "starting" | "idle" | "busy" | "dead";
  /** Cells that run or wait. */
  readonly waiting: number;
  /** Epoch milliseconds. */
  readonly lastActivityAt: number;
  /** One cell after the other, in the order of the calls. @throws BulkheadError UNSUPPORTED_LANGUAGE, RESOURCE_LIMIT_ERROR, EXECUTION_FAILED */
  run(cell: Cell): Promise<CellResult>;
  interrupt(): void;
  /** Ends it. The next cell starts another one. */
  end(): void;
}

const longestQueue = 64;
const startMs = 60_000;
/** From Ctrl-C to the end of a kernel that does not listen to it. */
const graceMs = 2_000;
/** How long after an answer the rest of the output may take: a cell may have closed a stream, then nothing comes. */
const outputMs = 300;

type Answer = Readonly<Record<string, unknown>>;

export function makeKernel(options: KernelOptions): Kernel {
  const { timers, clock } = options;
  let process: KernelProcess | undefined;
  let state: Kernel["state"] = "dead";
  let waiting = 0;
  let lastActivityAt = clock.now();
  let turn: Promise<unknown> = Promise.resolve();
  let hear: (answer: Answer) => void = () => {};
  /** Whether an earlier interpreter of this kernel took its variables with it, of which no caller was told yet. */
  let lost = false;

  const nextAnswer = () => new Promise<Answer>((resolve) => (hear = resolve));

  async function started(): Promise<KernelProcess> {
    if (process !== undefined) return process;
    state = "starting";
    const fresh = options.start();
    fresh.onAnswer((answer) => hear(answer));
    const ended = fresh.ended.then((): Answer => ({ ended: true }));
    const late = new Promise<Answer>((resolve) => timers.after(startMs, () => resolve({ ended: true })));
    const first = await Promise.race([nextAnswer(), ended, late]);
    if (first["ready"] !== true) {
      state = "dead";
      fresh.kill();
      throw typeof first["missing"] === "string" ? noInterpreter() : notStarted();
    }
    process = fresh;
    void fresh.ended.then(() => {
      if (process !== fresh) return;
      process = undefined;
      state = "dead";
      lost = true;
    });
    return fresh;
  }

  /** Ctrl-C when time is over or nobody waits any more, and the end of a kernel that does not listen. */
  function supervise(kernel: KernelProcess, cell: Cell) {
    let why: "timeout" | "abort" | undefined;
    let cancelKill = (): void => {};
    const stop = (reason: "timeout" | "abort"): void => {
      if (why !== undefined) return;
      why = reason;
      kernel.interrupt();
      cancelKill = timers.after(graceMs, () => kernel.kill());
    };
    const cancelTimeout = timers.after(cell.timeoutMs, () => stop("timeout"));
    const onAbort = (): void => stop("abort");
    cell.signal.addEventListener("abort", onAbort);
    return () => {
      cancelTimeout();
      cancelKill();
      cell.signal.removeEventListener("abort", onAbort);
      return why;
    };
  }

  async function runOne(cell: Cell): Promise<CellResult> {
    const kernel = await started();
    state = "busy";
    const began = performance.now();
    const capped = { stdout: makeCappedOutput(), stderr: makeCappedOutput() };
    const emit = (stream: "stdout" | "stderr", chunk: Buffer): void => {
      capped[stream].push(chunk);
      const wait = cell.onOutput?.(stream, chunk);
      if (wait !== undefined) kernel.hold(stream, wait);
    };
    if (lost) emit("stderr", Buffer.from("[bulkhead] This is a new kernel: the last one ended, with its variables.\n"));
    lost = false;
    const mark = `\0bulkhead:${randomBytes(16).toString("hex")}\0`;
    const output = Promise.all([
      kernel.stdout.until(mark, (chunk) => emit("stdout", chunk)),
      kernel.stderr.until(mark, (chunk) => emit("stderr", chunk)),
    ]);
    const finish = supervise(kernel, cell);
    const id = mark.slice(10, 26);
    const answered = nextAnswerOf(id);
    kernel.send({ id, code: cell.code, env: cell.env, sandbox_env: options.sandboxEnv(), mark });
    const ended = kernel.ended.then((code) => ({ ended: code }));
    const answer: Answer = await Promise.race([answered, ended]);
    const why = finish();
    await Promise.race([output, new Promise<void>((resolve) => void clock.after(outputMs, resolve))]);
    const died = typeof answer["ended"] === "number" ? answer["ended"] : undefined;
    if (died === undefined) state = "idle";
    else lost = false;
    for (const note of notesFor(answer, why, cell, died)) emit("stderr", Buffer.from(note));
    return {
      stdout: capped.stdout.text(),
      stderr: capped.stderr.text(),
      exitCode: exitCodeOf(answer, why, died),
      timedOut: why === "timeout",
      durationMs: performance.now() - began,
      pid: kernel.pid,
      report: undefined,
      rich: richOf(answer["outputs"]),
      executionCount: typeof answer["execution_count"] === "number" ? answer["execution_count"] : 0,
    };
  }

  function nextAnswerOf(id: string): Promise<Answer> {
    return new Promise((resolve) => {
      hear = (answer) => {
        if (answer["id"] === id) resolve(answer);
      };
    });
  }

  return {
    get state() {
      return state;
    },
    get waiting() {
      return waiting;
    },
    get lastActivityAt() {
      return lastActivityAt;
    },
    run(cell) {
      if (waiting >= longestQueue) throw tooMany();
      waiting += 1;
      lastActivityAt = clock.now();
      const result = turn.then(() => {
        if (cell.signal.aborted) throw new BulkheadError("EXECUTION_FAILED", "The caller is gone.");
        return runOne(cell);
      });
      turn = result
        .catch(() => undefined)
        .finally(() => {
          waiting -= 1;
          lastActivityAt = clock.now();
        });
      return result;
    },
    interrupt: () => process?.interrupt(),
    end: () => process?.kill(),
  };
}

function exitCodeOf(answer: Answer, why: "timeout" | "abort" | undefined, died: number | undefined): number {
  if (why === "timeout") return 124;
  if (died !== undefined) return died === 0 ? 1 : died;
  return answer["success"] === true ? 0 : 1;
}

function notesFor(answer: Answer, why: string | undefined, { timeoutMs }: Cell, died: number | undefined): string[] {
  const notes = notesOf(answer["notes"]).map((note) => `[bulkhead] ${note}\n`);
  const lost = "Its variables are lost; the next call starts a new one.";
  const seconds = timeoutMs / 1000;
  if (died !== undefined && why === "timeout") {
    notes.push(`Execution timed out after ${seconds} s and the kernel did not let itself be interrupted. ${lost}\n`);
  } else if (died !== undefined) {
    const memory = died === 137 ? " (killed: the memory limit of the sandbox may have been reached)" : "";
    notes.push(`The kernel ended with exit code ${died}${memory}. ${lost}\n`);
  } else if (why === "timeout") {
    notes.push(`Execution timed out after ${seconds} s and was interrupted. The kernel keeps its variables.\n`);
  }
  return notes;
}

function noInterpreter(): BulkheadError {
  return new BulkheadError(
    "UNSUPPORTED_LANGUAGE",
    "This template has no IPython. Create the sandbox from code-interpreter, or use POST /execute.",
  );
}

function notStarted(): BulkheadError {
  return new BulkheadError("EXECUTION_FAILED", "The kernel did not start. Free some memory and try again.");
}

function tooMany(): BulkheadError {
  return new BulkheadError(
    "RESOURCE_LIMIT_ERROR",
    `The limit of ${longestQueue} calls that wait for one kernel is reached. Wait for some to end.`,
    { details: { limit: longestQueue } },
  );
}
