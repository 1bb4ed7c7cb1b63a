import { closeSync, existsSync, fstatSync, openSync, readSync, renameSync, rmSync, writeSync } from "node:fs";
import type { EgressRow } from "#core/model.ts";
import type { Logger } from "#telemetry/logger.ts";
import type { Journal } from "./journal.ts";
import { rowLine, settledLine, shippedLine } from "./journal-line.ts";

export interface FileJournalOptions {
  /** Absolute. Older files are `<path>.1`, `<path>.2`, … */
  readonly path: string;
  /** Size at which a new file is begun. @default 64 MiB */
  readonly maxBytes?: number;
  /** Older files kept, at least one. @default 5 */
  readonly keep?: number;
  readonly logger: Logger;
}

interface OpenFile {
  readonly descriptor: number;
  size: number;
}

/**
 * Rows as JSON lines, mode 0600. Each is handed to the kernel before `write` returns: it outlives the process, not a power cut.
 * What is open when a new file begins is written there again, so that the two youngest files tell all of it.
 */
export function makeFileJournal(options: FileJournalOptions): Journal {
  const { path, logger, maxBytes = 64 * 1024 * 1024 } = options;
  const keep = Math.max(1, options.keep ?? 5);
  const open = new Map<string, string>();
  let file: OpenFile | null = null;
  let torn = false;
  let number = 0;
  let lost = 0;
  let closed = false;

  const fileFor = (): OpenFile => {
    if (file !== null && file.size < maxBytes) return file;
    if (file !== null) {
      closeSync(file.descriptor);
      file = null;
      shift(path, keep);
    }
    file = openForAppend(path);
    torn = file.size > 0 && !endsWithLineFeed(path, file.size);
    if (file.size === 0 && open.size > 0) append(file, [...open.values()]);
    return file;
  };

  const append = (target: OpenFile, lines: readonly string[]) => {
    const bytes = Buffer.from(`${torn ? "\n" : ""}${lines.join("\n")}\n`);
    const written = writeSync(target.descriptor, bytes);
    target.size += written;
    torn = written < bytes.length;
    if (torn) throw new Error("a line was written in part");
  };

  const write = (line: string) => {
    if (closed) return;
    try {
      append(fileFor(), [line]);
    } catch (error) {
      lost += 1;
      if (lost % 1000 === 1) logger.error("Egress rows are not written to their file", { path, lost, error });
    }
  };

  return {
    write(row: EgressRow) {
      number += 1;
      const line = rowLine(row, number);
      write(line);
      if (row.state === "open") open.set(row.id, line);
      else open.delete(row.id);
      return number;
    },
    shipped: (through) => write(shippedLine(through)),
    close(settled) {
      if (settled) write(settledLine);
      closed = true;
      if (file !== null) closeSync(file.descriptor);
      file = null;
    },
  };
}

function openForAppend(path: string): OpenFile {
  const descriptor = openSync(path, "a", 0o600);
  return { descriptor, size: fstatSync(descriptor).size };
}

/** A process that was killed may have left half a line. */
function endsWithLineFeed(path: string, size: number): boolean {
  const descriptor = openSync(path, "r");
  try {
    const last = Buffer.alloc(1);
    readSync(descriptor, last, 0, 1, size - 1);
    return last.toString() === "\n";
  } finally {
    closeSync(descriptor);
  }
}

/** path.4 → path.5, …, path → path.1; what was path.`keep` is gone. */
function shift(path: string, keep: number): void {
  rmSync(`${path}.${keep}`, { force: true });
  for (let number = keep - 1; number >= 0; number -= 1) {
    const from = number === 0 ? path : `${path}.${number}`;
    if (existsSync(from)) renameSync(from, `${path}.${number + 1}`);
  }
}
