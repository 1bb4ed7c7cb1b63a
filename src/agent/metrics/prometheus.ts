import type { MetricsResponse } from "#contracts/agent/metrics.ts";

interface Family {
  readonly name: string;
  readonly type: "counter" | "gauge";
  readonly help: string;
  /** Labels, as text between the braces, and value. */
  readonly samples: readonly (readonly [string, number])[];
}

function escaped(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

function byRoute(values: Readonly<Record<string, number>>): [string, number][] {
  return Object.entries(values).map(([route, value]) => [`route="${escaped(route)}"`, value]);
}

function families(figures: MetricsResponse): readonly Family[] {
  const { system, cache } = figures;
  const gauge = (name: string, help: string, value: number): Family => ({
    ...{ name: `bulkhead_agent_${name}`, type: "gauge" as const, help, samples: [["", value]] },
  });
  const counter = (name: string, help: string, samples: Family["samples"]): Family => ({
    ...{ name: `bulkhead_agent_${name}_total`, type: "counter" as const, help, samples },
  });
  return [
    gauge("uptime_seconds", "Seconds since the agent started.", figures.uptime_seconds),
    counter("requests", "Requests by route.", byRoute(figures.requests_total)),
    counter("request_errors", "Answers of 400 and above by route.", byRoute(figures.errors_total)),
    {
      ...{ name: "bulkhead_agent_request_duration_p95_milliseconds", type: "gauge" },
      ...{ help: "95th percentile of the duration by route.", samples: byRoute(figures.p95_duration_ms) },
    },
    counter("executions", "Executions and commands that were run.", [["", figures.total_executions]]),
    gauge("active_executions", "Executions and commands that run.", figures.active_executions),
    gauge("active_streams", "Open WebSockets.", figures.active_streams),
    gauge("cpu_usage_percent", "Share of the sandbox's cores in use.", system.cpu.usage_percent),
    gauge("memory_used_megabytes", "Memory of the sandbox's processes.", system.memory.used_mb),
    gauge("memory_total_megabytes", "Memory the sandbox may use.", system.memory.total_mb),
    gauge("disk_used_megabytes", "Disk in use.", system.disk.used_mb),
    gauge("disk_total_megabytes", "Disk the sandbox may use.", system.disk.total_mb),
    gauge("processes", "Processes of the sandbox.", figures.process.count),
    gauge("background_processes", "Background processes that run.", figures.process.running),
    counter("cache_hits", "Compilations that were not needed.", [["", cache.hits]]),
    counter("cache_misses", "Compilations.", [["", cache.misses]]),
  ];
}

/** Text exposition format 0.0.4. */
export function prometheusText(figures: MetricsResponse): string {
  return families(figures)
    .map(({ name, type, help, samples }) => {
      const lines = samples.map(([labels, value]) => `${name}${labels === "" ? "" : `{${labels}}`} ${value}`);
      return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...lines].join("\n");
    })
    .join("\n")
    .concat("\n");
}
