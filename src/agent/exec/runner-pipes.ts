import type { ChildProcess } from "node:child_process";
import { type Readable, Writable } from "node:stream";
import { type CappedOutput, makeCappedOutput } from "./output.ts";
import type { OutputListener, RunRequest } from "./run.ts";

/** One output stream of a run while it is read. */
interface Followed extends Omit<CappedOutput, "room"> {
  /** Pending while the listener holds the stream back. */
  held(): Promise<void> | undefined;
  /** Bytes read so far. */
  bytes(): number;
}

/** What a run's pipes carried. */
export interface Pipes {
  readonly stdout: Followed;
  readonly stderr: Followed;
  /** undefined: more than the limit arrived, or none was asked for. */
  report(): Buffer | undefined;
}

function follow(
  stream: Readable | null,
  name: Parameters<OutputListener>[0],
  limit: number | undefined,
  onOutput: OutputListener | undefined,
): Followed {
  const output = makeCappedOutput(limit);
  let held: Promise<void> | undefined;
  let bytes = 0;
  const release = (waited: Promise<void>) => {
    if (held !== waited) return;
    held = undefined;
    stream?.resume();
  };
  stream?.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    output.push(chunk);
    const wait = onOutput?.(name, chunk);
    if (wait === undefined) return;
    // Also when it is held already: Node resumes the pipes of a process that has ended.
    stream.pause();
    held = wait;
    void wait.finally(() => release(wait));
  });
  stream?.on("error", () => {});
  return { push: (chunk) => output.push(chunk), text: () => output.text(), held: () => held, bytes: () => bytes };
}

function capture(stream: Readable, limit: number): () => Buffer | undefined {
  const chunks: Buffer[] = [];
  let size = 0;
  stream.on("data", (chunk: Buffer) => {
    size += chunk.length;
    if (size <= limit) chunks.push(chunk);
    else chunks.length = 0;
  });
  stream.on("error", () => {});
  return () => (size > limit ? undefined : Buffer.concat(chunks));
}

/** Writes and closes. A child that does not read is no failure. */
function feed(stream: unknown, text: string): void {
  if (!(stream instanceof Writable)) return;
  stream.on("error", () => {});
  stream.end(text);
}

/** What `spawn` opens for a request; {@link connectPipes} uses it. */
export function pipesOf({ stdin, code, reportLimit }: RunRequest): ("pipe" | "ignore")[] {
  const pipes: ("pipe" | "ignore")[] = [stdin === undefined ? "ignore" : "pipe", "pipe", "pipe"];
  if (code !== undefined || reportLimit !== undefined) {
    pipes.push(code === undefined ? "ignore" : "pipe", reportLimit === undefined ? "ignore" : "pipe");
  }
  return pipes;
}

/** Feeds the child and starts to read it. @param outputLimit bytes per stream that are kept */
export function connectPipes(child: ChildProcess, request: RunRequest, outputLimit: number | undefined): Pipes {
  const stdout = follow(child.stdout, "stdout", outputLimit, request.onOutput);
  const stderr = follow(child.stderr, "stderr", outputLimit, request.onOutput);
  if (request.stdin !== undefined) feed(child.stdin, request.stdin);
  if (request.code !== undefined) feed(child.stdio[3], request.code);
  const channel = child.stdio[4];
  const report =
    request.reportLimit !== undefined && channel !== null && channel !== undefined && "read" in channel
      ? capture(channel, request.reportLimit)
      : () => undefined;
  return { stdout, stderr, report };
}
