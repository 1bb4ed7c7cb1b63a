import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { toRfc3339 } from "#contracts/time.ts";
import type { Logger } from "#telemetry/logger.ts";
import type { DecisionLog } from "./ports.ts";

export interface FileLogOptions {
  /** Absolute. Older files are `<path>.1`, `<path>.2`, … */
  readonly path: string;
  /** Size at which a new file is begun. @default 64 MiB */
  readonly maxBytes?: number;
  /** Older files kept, at least one. @default 5 */
  readonly keep?: number;
  readonly logger: Logger;
}

export interface FileDecisionLog extends DecisionLog {
  /** Resolves when everything recorded so far is in the file (or is lost, and was said so in the log). */
  flush(): Promise<void>;
  /** Flushes and closes; what is recorded later is dropped. */
  close(): Promise<void>;
}

/** Lines waiting for a slow disk; beyond this the newest are dropped and counted. */
const maxWaiting = 50_000;

/** Decisions as JSON lines, mode 0600, written in batches in the order they were recorded. */
export function makeFileDecisionLog(options: FileLogOptions): FileDecisionLog {
  const { path, logger, maxBytes = 64 * 1024 * 1024 } = options;
  const keep = Math.max(1, options.keep ?? 5);
  let waiting: string[] = [];
  let dropped = 0;
  let closed = false;
  let writing: Promise<void> | null = null;
  let file: { readonly handle: FileHandle; size: number } | null = null;

  const opened = async () => {
    if (file !== null && file.size >= maxBytes) {
      await file.handle.close();
      file = null;
      await shift(path, keep);
    }
    if (file === null) {
      const handle = await open(path, "a", 0o600);
      file = { handle, size: (await handle.stat()).size };
    }
    return file;
  };

  const drain = async () => {
    while (waiting.length > 0) {
      const lines = waiting;
      waiting = [];
      try {
        const target = await opened();
        const bytes = Buffer.from(lines.join(""));
        await target.handle.appendFile(bytes);
        target.size += bytes.length;
      } catch (error) {
        dropped += lines.length;
        logger.error("Egress decisions were not written", { path, lines: lines.length, dropped, error });
      }
    }
    writing = null;
  };

  const flush = async () => {
    while (writing !== null) await writing;
  };

  return {
    record(decision) {
      if (closed || waiting.length >= maxWaiting) {
        dropped += 1;
        if (dropped % 1000 === 1) logger.warn("Egress decisions are dropped", { path, dropped });
        return;
      }
      waiting.push(`${JSON.stringify({ ...decision, at: toRfc3339(decision.at) })}\n`);
      writing ??= Promise.resolve().then(drain);
    },
    flush,
    async close() {
      closed = true;
      await flush();
      await file?.handle.close();
      file = null;
    },
  };
}

/** path.4 → path.5, …, path → path.1; what was path.`keep` is gone. */
async function shift(path: string, keep: number): Promise<void> {
  await rm(`${path}.${keep}`, { force: true });
  for (let number = keep - 1; number >= 0; number -= 1) {
    const from = number === 0 ? path : `${path}.${number}`;
    await rename(from, `${path}.${number + 1}`).catch((error: unknown) => {
      if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
    });
  }
}
