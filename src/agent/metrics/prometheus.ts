import type { MetricsResponse } from "#contracts/agent/metrics.ts";
import { bucketEndsMs, type RouteFigures } from "./request-metrics.ts";

interface Family {
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly help: string;
  readonly lines: readonly string[];
}

type Routes = ReadonlyMap<string, RouteFigures>;

const prefix = "bulkhead_agent_";
const bytesPerMb = 1024 * 1024;

function labelOf(route: string): string {
  return `route="${route.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")}"`;
}

function gauge(name: string, help: string, value: number): Family {
  return { name, type: "gauge", help, lines: [`${prefix}${name} ${value}`] };
}

function counter(name: string, help: string, value: number): Family {
  return { name, type: "counter", help, lines: [`${prefix}${name} ${value}`] };
}

function byRoute(name: string, help: string, routes: Routes, of: (figures: RouteFigures) => number): Family {
  const lines = [...routes].map(([route, figures]) => `${prefix}${name}{${labelOf(route)}} ${of(figures)}`);
  return { name, type: "counter", help, lines };
}

function durations(routes: Routes): Family {
  const name = "request_duration_seconds";
  const lines = [...routes].flatMap(([route, { histogram, count, totalMs }]) => {
    const label = labelOf(route);
    let seen = 0;
    const buckets = bucketEndsMs.map((end, index) => {
      seen += histogram[index] ?? 0;
      return `${prefix}${name}_bucket{${label},le="${end / 1000}"} ${seen}`;
    });
    return [
      ...buckets,
      `${prefix}${name}_bucket{${label},le="+Inf"} ${count}`,
      `${prefix}${name}_sum{${label}} ${totalMs / 1000}`,
      `${prefix}${name}_count{${label}} ${count}`,
    ];
  });
  return { name, type: "histogram", help: "Time from a request to the end of its answer.", lines };
}

function families({ system, cache, ...figures }: MetricsResponse, routes: Routes): readonly Family[] {
  return [
    gauge("uptime_seconds", "Seconds since the agent started.", figures.uptime_seconds),
    byRoute("requests_total", "Requests.", routes, ({ count }) => count),
    byRoute("request_errors_total", "Answers of 400 and above, and broken off ones.", routes, ({ errors }) => errors),
    durations(routes),
    counter("executions_total", "Executions, commands and cells that began.", figures.total_executions),
    gauge("active_executions", "Executions, commands and cells that run.", figures.active_executions),
    gauge("active_streams", "Open WebSockets.", figures.active_streams),
    gauge("cpu_usage_ratio", "Share of the sandbox's cores in use.", system.cpu.usage_percent / 100),
    gauge("memory_used_bytes", "Memory of the sandbox's processes.", Math.round(system.memory.used_mb * bytesPerMb)),
    gauge("memory_limit_bytes", "Memory the sandbox may use.", Math.round(system.memory.total_mb * bytesPerMb)),
    gauge("disk_used_bytes", "Disk in use.", Math.round(system.disk.used_mb * bytesPerMb)),
    gauge("disk_limit_bytes", "Disk the sandbox may use.", Math.round(system.disk.total_mb * bytesPerMb)),
    gauge("processes", "Processes of the sandbox.", figures.process.count),
    gauge("background_processes", "Background processes that run.", figures.process.running),
    gauge("cache_bytes", "Compiled programs that are kept.", cache.size),
    counter("cache_hits_total", "Compilations that were not needed.", cache.hits),
    counter("cache_misses_total", "Compilations.", cache.misses),
  ];
}

/** Text exposition format 0.0.4, in base units. */
export function prometheusText(figures: MetricsResponse, routes: Routes): string {
  return families(figures, routes)
    .flatMap(({ name, type, help, lines }) => [
      `# HELP ${prefix}${name} ${help}`,
      `# TYPE ${prefix}${name} ${type}`,
      ...lines,
    ])
    .join("\n")
    .concat("\n");
}
