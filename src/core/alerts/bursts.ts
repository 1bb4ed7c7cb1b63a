import type { Clock } from "../ports.ts";

/** Whether something has happened so often within a while, by who did it and overall. Memory is bounded. */
export interface Bursts {
  /** One more. @returns whether this one completes a burst, or goes on with one */
  hit(source: string): { readonly ofSource: boolean; readonly overall: boolean };
}

interface Options {
  readonly windowMs: number;
  readonly perSource: number;
  readonly overall: number;
  /** More sources than this are not told apart; the longest known are forgotten. @default 5_000 */
  readonly maxSources?: number;
}

export function makeBursts(clock: Pick<Clock, "now">, options: Options): Bursts {
  const { windowMs, maxSources = 5_000 } = options;
  const sources = new Map<string, number[]>();
  const all: number[] = [];
  const isBurst = (times: number[], size: number): boolean => {
    const now = clock.now();
    times.push(now);
    if (times.length > size) times.shift();
    return times.length === size && now - (times[0] ?? 0) <= windowMs;
  };
  return {
    hit(source) {
      const times = sources.get(source) ?? [];
      // The one that was quiet longest stands first.
      sources.delete(source);
      sources.set(source, times);
      for (const oldest of sources.keys()) {
        if (sources.size <= maxSources) break;
        sources.delete(oldest);
      }
      return { ofSource: isBurst(times, options.perSource), overall: isBurst(all, options.overall) };
    },
  };
}
