import * as z from "zod";
import { systemResponseSchema } from "./info.ts";

/** `GET /cache/stats`: what the agent keeps to be faster, which is compiled TypeScript. Sizes are bytes, `ttl` seconds. */
export const cacheStatsSchema = z.object({
  cache: z.object({
    size: z.number().int(),
    max_size: z.number().int(),
    total_hits: z.number().int(),
    /** 0: nothing expires, the least used makes room. */
    ttl: z.number(),
  }),
  hits: z.number().int(),
  misses: z.number().int(),
  size: z.number().int(),
  /** From 0 to 1. */
  hit_rate: z.number(),
  count: z.number().int(),
  timestamp: z.string(),
});
export type CacheStats = z.infer<typeof cacheStatsSchema>;

/** `GET /metrics` and `/metrics/snapshot`. Maps are keyed by `METHOD /route`. */
export const metricsResponseSchema = z.object({
  uptime_seconds: z.number(),
  total_requests: z.number().int(),
  /** Answers of 400 and above, and those that broke off. */
  total_errors: z.number().int(),
  /** Executions, commands and cells that began, on all ways but in the background. */
  total_executions: z.number().int(),
  /** Of those the ones that run. */
  active_executions: z.number().int(),
  requests_total: z.record(z.string(), z.number().int()),
  errors_total: z.record(z.string(), z.number().int()),
  avg_duration_ms: z.record(z.string(), z.number()),
  p95_duration_ms: z.record(z.string(), z.number()),
  error_count: z.number().int(),
  system: systemResponseSchema.pick({ cpu: true, memory: true, disk: true }),
  process: z.object({
    /** Processes of the sandbox. */
    count: z.number().int(),
    /** Background processes that run. */
    running: z.number().int(),
  }),
  active_streams: z.number().int(),
  cache: cacheStatsSchema.omit({ timestamp: true }),
  timestamp: z.string(),
});
export type MetricsResponse = z.infer<typeof metricsResponseSchema>;
