import type { Clock } from "../ports.ts";

const minuteMs = 60_000;
/** So many in one minute are no mistake of a program. */
const least = 50;
/** And this many times the average of the minutes before. */
const factor = 4;
const remembered = 30;
const maxSandboxes = 10_000;

interface Seen {
  minute: number;
  count: number;
  /** Counts of the minutes before, the latest last. */
  past: number[];
}

/** Tells a burst of refused connections from a sandbox that is always refused some. */
export function makeDenials(clock: Pick<Clock, "now">): { denied(sandboxId: string): boolean } {
  const sandboxes = new Map<string, Seen>();
  return {
    denied(sandboxId) {
      const minute = Math.floor(clock.now() / minuteMs);
      const seen = sandboxes.get(sandboxId) ?? { minute, count: 0, past: [] };
      sandboxes.delete(sandboxId);
      sandboxes.set(sandboxId, seen);
      for (const oldest of sandboxes.keys()) {
        if (sandboxes.size <= maxSandboxes) break;
        sandboxes.delete(oldest);
      }
      if (seen.minute !== minute) {
        const quiet = Math.min(remembered, minute - seen.minute - 1);
        seen.past = [...seen.past, seen.count, ...Array.from({ length: quiet }, () => 0)].slice(-remembered);
        seen.minute = minute;
        seen.count = 0;
      }
      seen.count += 1;
      const average = seen.past.reduce((sum, count) => sum + count, 0) / remembered;
      return seen.count >= least && seen.count > factor * average;
    },
  };
}
