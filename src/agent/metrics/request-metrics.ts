/** Upper ends in milliseconds of the buckets of each duration; beyond the last one is one more. */
export const bucketEndsMs = [
  1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000, 300_000,
] as const;

export interface RouteFigures {
  readonly count: number;
  readonly errors: number;
  readonly totalMs: number;
  /** Upper end of the bucket that holds the 95th of a hundred; the last end stands for all beyond it. */
  readonly p95Ms: number;
  /** How many durations fell into each of {@link bucketEndsMs}, and beyond. */
  readonly histogram: readonly number[];
}

/** What was asked of the agent, by route. */
export interface RequestMetrics {
  /** @param route `METHOD /path` as the route says it, never the caller's path: their number is bounded */
  note(route: string, status: number, durationMs: number): void;
  byRoute(): ReadonlyMap<string, RouteFigures>;
}

interface Counted {
  count: number;
  errors: number;
  totalMs: number;
  readonly histogram: number[];
}

function p95Of({ count, histogram }: Counted): number {
  let seen = 0;
  const at = histogram.findIndex((some) => {
    seen += some;
    return seen >= count * 0.95;
  });
  return bucketEndsMs[Math.min(Math.max(0, at), bucketEndsMs.length - 1)] ?? 0;
}

export function makeRequestMetrics(): RequestMetrics {
  const routes = new Map<string, Counted>();
  const none = (): Counted => ({ count: 0, errors: 0, totalMs: 0, histogram: [...bucketEndsMs, 0].map(() => 0) });
  return {
    note(route, status, durationMs) {
      const counted = routes.get(route) ?? none();
      routes.set(route, counted);
      counted.count += 1;
      if (status >= 400) counted.errors += 1;
      counted.totalMs += durationMs;
      const bucket = bucketEndsMs.findIndex((end) => durationMs <= end);
      const place = bucket < 0 ? bucketEndsMs.length : bucket;
      counted.histogram[place] = (counted.histogram[place] ?? 0) + 1;
    },
    byRoute: () => new Map([...routes].map(([route, counted]) => [route, { ...counted, p95Ms: p95Of(counted) }])),
  };
}
