import { closeSync, existsSync, ftruncateSync, openSync, readFileSync, writeSync } from "node:fs";
import type { AuditEvent } from "#core/model.ts";

/** Events that may not stand in the chain yet, as JSON lines, mode 0600. */
export interface AuditJournal {
  /** Handed to the kernel when this returns: outlives the process, not a power cut. @throws Error when the disk is full */
  write(events: readonly AuditEvent[]): void;
  /** Everything that was written stands in the chain: the file may begin anew. */
  settled(): void;
  close(): void;
}

/** Where a file begins anew once everything is settled. */
const maxBytes = 4 * 1024 * 1024;

export function openAuditJournal(path: string): {
  readonly journal: AuditJournal;
  readonly left: readonly AuditEvent[];
} {
  const left = existsSync(path) ? eventsIn(readFileSync(path, "utf8")) : [];
  const descriptor = openSync(path, "a", 0o600);
  let torn = false;
  let size = left.length === 0 ? 0 : maxBytes;
  if (left.length === 0) ftruncateSync(descriptor, 0);
  return {
    left,
    journal: {
      write(events) {
        const lines = events.map((event) => `${JSON.stringify(event)}\n`).join("");
        const bytes = Buffer.from(torn ? `\n${lines}` : lines);
        const written = writeSync(descriptor, bytes);
        size += written;
        torn = written < bytes.length;
        if (torn) throw new Error("an audit event was written in part");
      },
      settled() {
        if (size < maxBytes) return;
        ftruncateSync(descriptor, 0);
        size = 0;
      },
      close: () => closeSync(descriptor),
    },
  };
}

/** A process that was killed may have left half a line: its caller was never answered. */
function eventsIn(text: string): AuditEvent[] {
  const events: AuditEvent[] = [];
  for (const line of text.split("\n")) {
    try {
      if (line !== "") events.push(JSON.parse(line) as AuditEvent);
    } catch {
      // Half a line.
    }
  }
  return events;
}
