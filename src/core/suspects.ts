import type { Clock } from "./ports.ts";

/** Remembers what looked wrong and since when: only what stays wrong is acted on. */
export interface Suspects {
  /** True when `name` was suspected before and has been for the grace time, or for `patienceMs`. */
  confirmed(name: string, patienceMs?: number): boolean;
  /** Ends a round: what was not suspected in it is innocent again. */
  forgetUnseen(): void;
}

export function makeSuspects(clock: Clock, graceMs: number): Suspects {
  const since = new Map<string, number>();
  let seen = new Set<string>();
  return {
    confirmed(name, patienceMs = graceMs) {
      seen.add(name);
      const first = since.get(name);
      if (first === undefined) since.set(name, clock.now());
      return first !== undefined && clock.now() - first >= patienceMs;
    },
    forgetUnseen() {
      for (const name of since.keys()) if (!seen.has(name)) since.delete(name);
      seen = new Set();
    },
  };
}
