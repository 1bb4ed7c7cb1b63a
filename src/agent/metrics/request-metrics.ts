/** Upper ends in milliseconds; beyond the last one a duration counts as that. */
const buckets = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000, 300_000] as const;

export interface RouteFigures {
  readonly count: number;
  readonly errors: number;
  readonly totalMs: number;
  /** Upper end of the bucket that holds the 95th of a hundred. */
  readonly p95Ms: number;
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
  return buckets[Math.min(Math.max(0, at), buckets.length - 1)] ?? 0;
}

export function makeRequestMetrics(): RequestMetrics {
  const routes = new Map<string, Counted>();
  return {
    note(route, status, durationMs) {
      const counted = routes.get(route) ?? { count: 0, errors: 0, totalMs: 0, histogram: buckets.map(() => 0) };
      routes.set(route, counted);
      counted.count += 1;
      if (status >= 400) counted.errors += 1;
      counted.totalMs += durationMs;
      const bucket = buckets.findIndex((end) => durationMs <= end);
      const place = bucket < 0 ? buckets.length - 1 : bucket;
      counted.histogram[place] = (counted.histogram[place] ?? 0) + 1;
    },
    byRoute: () =>
      new Map(
        [...routes].map(([route, counted]) => {
          const { count, errors, totalMs } = counted;
          return [route, { count, errors, totalMs, p95Ms: p95Of(counted) }];
        }),
      ),
  };
}
