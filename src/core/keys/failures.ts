import type { Clock } from "../ports.ts";

/** Slows down whoever tries keys: each address has so many wrong ones at once, and one more a second. */
export interface FailureBudget {
  /** Takes one try, before it is known how it comes out. @returns seconds to wait for it; 0: it was taken */
  take(source: string): number;
  /** It was no wrong one. */
  giveBack(source: string): void;
}

const burst = 20;
const perSecond = 1;
/** More addresses than this are not told apart: what is forgotten has its burst again. */
const maxSources = 50_000;

export function makeFailureBudget(clock: Pick<Clock, "now">): FailureBudget {
  /** Wrong keys that count at a moment. */
  const sources = new Map<string, { at: number; count: number }>();

  const countOf = (source: string): number => {
    const known = sources.get(source);
    if (known === undefined) return 0;
    return Math.max(0, known.count - ((clock.now() - known.at) / 1000) * perSecond);
  };
  const forgetQuiet = () => {
    for (const source of sources.keys()) if (countOf(source) === 0) sources.delete(source);
    if (sources.size >= maxSources) sources.clear();
  };

  return {
    take(source) {
      const count = countOf(source) + 1;
      if (count > burst) return Math.ceil((count - burst) / perSecond);
      if (sources.size >= maxSources && !sources.has(source)) forgetQuiet();
      sources.set(source, { at: clock.now(), count });
      return 0;
    },
    giveBack(source) {
      const count = countOf(source) - 1;
      if (count <= 0) sources.delete(source);
      else sources.set(source, { at: clock.now(), count });
    },
  };
}
