import type { ChildProcess } from "node:child_process";
import type { Pipes } from "./runner-pipes.ts";

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** How long after its end a run may still be read: processes it left in the background hold its pipes open. */
const lingerMs = 150;
/** More than a pipe and our buffers hold at the end of a process; what comes after it, background processes wrote. */
const tailBytes = 2 * 1024 * 1024;

/** Goes on reading what background processes write, so that they neither block nor die of it. */
function drain(child: ChildProcess): void {
  for (const stream of [child.stdout, child.stderr, child.stdio[4]]) {
    if (stream === null || stream === undefined || !("resume" in stream)) continue;
    stream.removeAllListeners("data");
    stream.resume();
  }
}

async function lingered(closed: Promise<unknown>): Promise<"closed" | "lingered"> {
  let timer: NodeJS.Timeout | undefined;
  const linger = new Promise<"lingered">((resolve) => {
    timer = setTimeout(resolve, lingerMs, "lingered");
  });
  const outcome = await Promise.race([closed.then(() => "closed" as const), linger]);
  clearTimeout(timer);
  return outcome;
}

/** Reads on while a listener is behind: what the process wrote before its end is not lost to a slow one. */
async function readTail(child: ChildProcess, { stdout, stderr }: Pipes, closed: Promise<unknown>): Promise<void> {
  const bytes = () => stdout.bytes() + stderr.bytes();
  const limit = bytes() + tailBytes;
  while ((await lingered(closed)) === "lingered") {
    const held = [stdout.held(), stderr.held()].filter((wait) => wait !== undefined);
    if (held.length === 0 || bytes() > limit) break;
    await Promise.allSettled(held);
  }
  drain(child);
}

/** Resolves when the process has ended and its output is read. Rejects when it never started. */
export async function untilEnd(child: ChildProcess, pipes: Pipes): Promise<Ended> {
  const closed = new Promise<void>((resolve) => child.on("close", () => resolve()));
  const ended = await new Promise<Ended>((resolve, reject) => {
    child.on("error", (error) => {
      if (child.pid === undefined) reject(error);
    });
    child.on("exit", (code, signal) => resolve({ code, signal }));
  });
  await readTail(child, pipes, closed);
  return ended;
}
