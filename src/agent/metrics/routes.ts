import type { CacheStats, MetricsResponse } from "#contracts/agent/metrics.ts";
import { toRfc3339 } from "#contracts/time.ts";
import type { AgentClock } from "../clock.ts";
import type { CompileCache } from "../compile-cache.ts";
import type { Lifecycle } from "../lifecycle.ts";
import type { Route } from "../router.ts";
import type { SystemFigures } from "../system-routes.ts";
import { prometheusText } from "./prometheus.ts";
import type { RequestMetrics, RouteFigures } from "./request-metrics.ts";

export interface MetricsOptions {
  readonly requests: RequestMetrics;
  readonly lifecycle: Pick<Lifecycle, "state" | "executionCount">;
  readonly figures: SystemFigures;
  readonly cache: CompileCache;
  /** Background processes that run. */
  readonly background: { running(): number };
  readonly sockets: { readonly count: number };
  readonly clock: AgentClock;
  /** Epoch milliseconds. */
  readonly startedAt: number;
}

const round = (value: number) => Math.round(value * 100) / 100;

function cacheFigures(cache: CompileCache): Omit<CacheStats, "timestamp"> {
  const { hits, misses, count, bytes, maxBytes } = cache.stats();
  const asked = hits + misses;
  return {
    cache: { size: bytes, max_size: maxBytes, total_hits: hits, ttl: 0 },
    ...{ hits, misses, size: bytes, count, hit_rate: asked === 0 ? 0 : round(hits / asked) },
  };
}

function snapshot(options: MetricsOptions): MetricsResponse {
  const { requests, lifecycle, figures, cache, background, sockets, clock, startedAt } = options;
  const routes = [...requests.byRoute()];
  const sum = (of: (route: RouteFigures) => number) => routes.reduce((total, [, route]) => total + of(route), 0);
  const each = (of: (route: RouteFigures) => number) =>
    Object.fromEntries(routes.map(([name, route]) => [name, of(route)]));
  const errors = sum((route) => route.errors);
  const { cpu, memory, disk } = figures.system();
  return {
    uptime_seconds: (clock.now() - startedAt) / 1000,
    total_requests: sum((route) => route.count),
    total_errors: errors,
    error_count: errors,
    total_executions: lifecycle.executionCount(),
    active_executions: lifecycle.state().active_executions,
    requests_total: each((route) => route.count),
    errors_total: each((route) => route.errors),
    avg_duration_ms: each((route) => round(route.totalMs / route.count)),
    p95_duration_ms: each((route) => route.p95Ms),
    system: { cpu, memory, disk },
    process: { count: figures.processCount(), running: background.running() },
    active_streams: sockets.count,
    cache: cacheFigures(cache),
    timestamp: toRfc3339(clock.now()),
  };
}

/** What the sandbox uses and what was asked of its agent (contract §4.5). */
export function metricsRoutes(options: MetricsOptions): Route[] {
  const { cache, clock } = options;
  return [
    { method: "GET", path: "/metrics", handle: (request) => request.send(200, snapshot(options)) },
    { method: "GET", path: "/metrics/snapshot", handle: (request) => request.send(200, snapshot(options)) },
    {
      method: "GET",
      path: "/metrics/prometheus",
      handle({ res }) {
        res.writeHead(200, { "content-type": "text/plain; version=0.0.4; charset=utf-8" });
        res.end(prometheusText(snapshot(options), options.requests.byRoute()));
      },
    },
    {
      method: "GET",
      path: "/cache/stats",
      handle: (request) => request.send(200, { ...cacheFigures(cache), timestamp: toRfc3339(clock.now()) }),
    },
    {
      method: "POST",
      path: "/cache/clear",
      handle(request) {
        const { count } = cache.stats();
        cache.clear();
        request.send(200, { success: true, message: `${count} compiled programs dropped.` });
      },
    },
  ];
}
