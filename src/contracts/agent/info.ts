import * as z from "zod";

const features = z.record(z.string(), z.boolean());

/** `GET /health`, open to all. Python's client waits for exactly "healthy". */
export const healthResponseSchema = z.object({
  status: z.literal("healthy"),
  agent: z.string(),
  version: z.string(),
  /** For people: "3m20s". */
  uptime: z.string(),
  uptime_seconds: z.number(),
  /** Read by name by clients; here it names the Node version. */
  go_version: z.string(),
  /** Sandbox id, or the instance id before the instance belongs to a sandbox. */
  vm_id: z.string(),
  features,
  active_streams: z.number().int(),
  active_executions: z.number().int(),
});
export type HealthResponse = z.infer<typeof healthResponseSchema>;

/** `GET /info`. */
export const infoResponseSchema = z.object({
  vm_id: z.string(),
  agent: z.string(),
  agent_version: z.string(),
  version: z.string(),
  os: z.string(),
  arch: z.string(),
  platform: z.string(),
  ip: z.string(),
  vm_ip: z.string(),
  port: z.string(),
  vm_port: z.string(),
  start_time: z.string(),
  uptime: z.string(),
  uptime_seconds: z.number(),
  /** Name to path. */
  endpoints: z.record(z.string(), z.string()),
  features,
  template: z.string(),
  internet_access: z.boolean(),
});
export type InfoResponse = z.infer<typeof infoResponseSchema>;

const usage = z.object({
  total_mb: z.number(),
  used_mb: z.number(),
  free_mb: z.number(),
  usage_percent: z.number(),
});

/** `GET /system`: what the sandbox may use and uses. */
export const systemResponseSchema = z.object({
  cpu: z.object({ cores: z.number(), usage_percent: z.number() }),
  memory: usage,
  disk: usage,
  uptime_seconds: z.number(),
  hostname: z.string(),
  os: z.string(),
  arch: z.string(),
  timestamp: z.string(),
});
export type SystemResponse = z.infer<typeof systemResponseSchema>;

/** `GET /ping`. */
export const pingResponseSchema = z.object({
  status: z.literal("ok"),
  message: z.literal("pong"),
  timestamp: z.string(),
});
export type PingResponse = z.infer<typeof pingResponseSchema>;

/** `GET /`. */
export const rootResponseSchema = z.object({ name: z.string(), version: z.string() });

/** One process of the sandbox. `name` is never null (contract rule 27). */
export const processSchema = z.object({
  pid: z.number().int(),
  name: z.string(),
  status: z.string(),
  cpu_percent: z.number(),
  memory_mb: z.number(),
  memory_percent: z.number(),
  command: z.string(),
});
export type ProcessView = z.infer<typeof processSchema>;

/** `GET /processes`. */
export const processesResponseSchema = z.object({
  processes: z.array(processSchema),
  count: z.number().int(),
  timestamp: z.string(),
});
export type ProcessesResponse = z.infer<typeof processesResponseSchema>;
