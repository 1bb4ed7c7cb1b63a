import type { Clock } from "#core/ports.ts";

/** Lets so many events of one kind through in a minute, and counts the others. */
export interface NoteBudget {
  /** @returns null: leave it out; else how many were left out since the last one */
  take(kind: string): number | null;
}

const minuteMs = 60_000;
const maxKinds = 10_000;

interface Minute {
  endsAt: number;
  left: number;
  omitted: number;
}

export function makeNoteBudget(clock: Pick<Clock, "now">, perMinute: number): NoteBudget {
  const kinds = new Map<string, Minute>();
  return {
    take(kind) {
      const now = clock.now();
      let minute = kinds.get(kind);
      if (minute === undefined || now >= minute.endsAt) {
        if (kinds.size >= maxKinds) kinds.clear();
        minute = { endsAt: now + minuteMs, left: perMinute, omitted: minute?.omitted ?? 0 };
        kinds.set(kind, minute);
      }
      if (minute.left === 0) {
        minute.omitted += 1;
        return null;
      }
      minute.left -= 1;
      const { omitted } = minute;
      minute.omitted = 0;
      return omitted;
    },
  };
}
