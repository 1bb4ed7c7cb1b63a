import { type ChildProcess, spawn } from "node:child_process";
import { constants } from "node:os";
import type { Readable, Writable } from "node:stream";
import { killRun, signalProcess } from "../exec/kill-run.ts";
import type { Marks } from "../exec/marks.ts";
import { makeLines } from "./lines.ts";
import { makeMarkedOutput } from "./marked-output.ts";

export interface KernelProcessOptions {
  readonly file: string;
  readonly script: string;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly uid?: number;
  readonly gid?: number;
  readonly marks: Marks;
}

/** A running interpreter. Every byte it sends is user code's. */
export interface KernelProcess {
  readonly pid: number;
  readonly stdout: ReturnType<typeof makeMarkedOutput>;
  readonly stderr: ReturnType<typeof makeMarkedOutput>;
  /** Sends one line. */
  send(request: object): void;
  /** Hears each line it answers, parsed. */
  onAnswer(listener: (answer: Readonly<Record<string, unknown>>) => void): void;
  /** Holds its output back while `wait` is pending: it blocks on its pipe meanwhile. */
  hold(stream: "stdout" | "stderr", wait: Promise<void>): void;
  /** As Ctrl-C does: the kernel and what it has started in its group. */
  interrupt(): void;
  /** Ends it with everything it has started. */
  kill(): void;
  /** How it ended, as an exit code: 128 + n after signal n. */
  readonly ended: Promise<number>;
}

/** An answer is rich output, each kind of which the kernel caps lower. */
const longestAnswer = 64 * 2 ** 20;

function exitCodeOf(code: number | null, signal: NodeJS.Signals | null): number {
  if (code !== null) return code;
  return signal === null ? 1 : 128 + constants.signals[signal];
}

function pipe(stream: Readable | Writable | null | undefined): Readable & Writable {
  if (stream === null || stream === undefined) throw new Error("a kernel without its pipes");
  stream.on("error", () => {});
  return stream as Readable & Writable;
}

/** @throws what `spawn` throws, or Error when it did not start */
export function startKernelProcess(options: KernelProcessOptions): KernelProcess {
  const mark = options.marks.take();
  const child: ChildProcess = options.marks.during(mark, () =>
    spawn(options.file, [options.script], {
      cwd: options.cwd,
      env: { ...options.env },
      stdio: ["ignore", "pipe", "pipe", "pipe", "pipe"],
      detached: true,
      ...(options.uid === undefined ? {} : { uid: options.uid }),
      ...(options.gid === undefined ? {} : { gid: options.gid }),
    }),
  );
  const { pid } = child;
  const ended = new Promise<number>((resolve) => {
    child.on("error", () => resolve(126));
    child.on("exit", (code, signal) => resolve(exitCodeOf(code, signal)));
  }).finally(() => {
    if (pid !== undefined) killRun(pid, mark, options.marks);
    options.marks.release(mark);
  });
  if (pid === undefined) throw new Error("the interpreter could not be started");
  const streams = { stdout: pipe(child.stdout), stderr: pipe(child.stderr) };
  const [requests, answers] = [pipe(child.stdio[3]), pipe(child.stdio[4])];
  const output = { stdout: makeMarkedOutput(), stderr: makeMarkedOutput() };
  for (const name of ["stdout", "stderr"] as const) {
    streams[name].on("data", (chunk: Buffer) => output[name].push(chunk));
    streams[name].on("close", () => output[name].end());
  }
  let hear: (answer: Readonly<Record<string, unknown>>) => void = () => {};
  const kill = (): void => killRun(pid, mark, options.marks);
  const lines = makeLines(longestAnswer, (answer) => hear(answer), kill);
  answers.on("data", (chunk: Buffer) => lines.push(chunk));
  return {
    pid,
    ...output,
    send: (request) => void requests.write(`${JSON.stringify(request)}\n`),
    onAnswer(listener) {
      hear = listener;
    },
    hold(name, wait) {
      streams[name].pause();
      void wait.finally(() => streams[name].resume());
    },
    interrupt: () => signalProcess(-pid, "SIGINT"),
    kill,
    ended,
  };
}
