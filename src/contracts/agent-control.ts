import * as z from "zod";

export { agentExitCodes, controlPrefix, portHeader } from "./agent-constants.ts";

/** Deadlines an agent enforces by itself, epoch milliseconds; it ends the instance at the first one that passes. */
export const leaseSchema = z.object({
  /** End of `timeout_seconds`, absent when the caller set none. */
  timeout_at: z.number().int().optional(),
  /** End of the maximum lifetime. */
  lifetime_at: z.number().int(),
  /** Milliseconds without activity after which the instance ends. */
  idle_ms: z.number().int().positive(),
});
export type Lease = z.infer<typeof leaseSchema>;

/** A key of no use, to be found by who searches the instance. */
export const decoySchema = z.object({ path: z.string(), content: z.string() });
export type DecoyFile = z.infer<typeof decoySchema>;

/** `POST /_bulkhead/activate`: gives a warm instance to one sandbox, once. A second sandbox id is refused with CONFLICT. */
export const activateRequestSchema = z.object({
  sandbox_id: z.string(),
  /** Create-time `env_vars`; kept in the agent's memory only. */
  env: z.record(z.string(), z.string()),
  /** Variables of `env` whose values are secrets: the agent keeps them out of what it says itself. */
  secret_names: z.array(z.string()).optional(),
  lease: leaseSchema,
  /** Shown by /info and /health as facts about the sandbox. */
  internet_access: z.boolean(),
  resources: z.object({ vcpu: z.number(), memory_mb: z.number(), disk_mb: z.number() }),
  decoy: decoySchema.optional(),
});
export type ActivateRequest = z.infer<typeof activateRequestSchema>;

/** `POST /_bulkhead/lease`: replaces the deadlines (after PUT timeout). Body is a {@link leaseSchema}. Answers {@link agentStateSchema}. */
export const agentStateSchema = z.object({
  state: z.enum(["warm", "active"]),
  sandbox_id: z.string().optional(),
  /** Epoch milliseconds of the last activity the agent saw. */
  last_activity_at: z.number(),
  /** Executions and commands running now; each counts as activity. */
  active_executions: z.number().int(),
  /** Whether user code stands still (`POST /_bulkhead/freeze`, `/thaw`; both answer this state). */
  frozen: z.boolean().optional(),
  /** SHA-256 (base64url) of the credential that the agent shows the egress proxy; absent where a socket says who it is. */
  egress_key_hash: z
    .string()
    .regex(/^[A-Za-z0-9_-]{43}$/)
    .optional(),
  /** SHA-256 of the certificate the agent showed, lower-case hex. Written by the bridge from what it saw, whatever the agent says. */
  certificate_fingerprint: z.string().optional(),
});
export type AgentState = z.infer<typeof agentStateSchema>;

/** `GET /_bulkhead/env`: the variables of the sandbox as they are now, for a sandbox that is stopped and started again. */
export const agentEnvAnswerSchema = z.object({ env: z.record(z.string(), z.string()) });

/** Facts an agent is started with; environment variables of its process. */
export const agentEnvSchema = z.object({
  /** Number of the inherited listening socket; absent: listen on BULKHEAD_AGENT_PORT. */
  BULKHEAD_AGENT_FD: z.coerce.number().int().optional(),
  BULKHEAD_AGENT_PORT: z.coerce.number().int().default(7777),
  BULKHEAD_INSTANCE_ID: z.string(),
  BULKHEAD_TEMPLATE: z.string(),
  /** uid and gid user code runs under; absent: the agent's own (one-uid tier). */
  BULKHEAD_USER_UID: z.coerce.number().int().optional(),
  BULKHEAD_USER_GID: z.coerce.number().int().optional(),
  /** Unix socket of the egress proxy; absent: no way out. */
  BULKHEAD_EGRESS_SOCKET: z.string().optional(),
  /** `host:port` of an egress proxy that is reached over TCP; the socket wins where both are given. */
  BULKHEAD_EGRESS_ADDRESS: z.string().optional(),
  /**
   * Certificate (PEM) of the egress proxy's authority, in the sandbox's own view; `ca-certificates.crt` beside it holds every authority that
   * is trusted, this one among them. Absent: the proxy has none.
   */
  BULKHEAD_CA_FILE: z.string().optional(),
  /** "1": listen with TLS and a certificate made at start. */
  BULKHEAD_AGENT_TLS: z.literal("1").optional(),
  /** "remote": nobody on the agent's own machine may call it. User code could ask it for more time. Absent: anybody may. */
  BULKHEAD_AGENT_CALLERS: z.literal("remote").optional(),
  /** What the first root may hold where the file system itself has no limit; absent: the file system's own limit holds. */
  BULKHEAD_DISK_QUOTA_MB: z.coerce.number().int().optional(),
  /** Loopback port the agent offers the egress proxy on. */
  BULKHEAD_EGRESS_PORT: z.coerce.number().int().default(3128),
  /** JSON array of directories the file API serves, in the sandbox's own view. */
  BULKHEAD_ROOTS: z.string().default('["/workspace","/tmp"]'),
  /** JSON array of template features, e.g. ["rich-output"]. */
  BULKHEAD_FEATURES: z.string().default("[]"),
  /** Directory of helper programs (esbuild, python worker) in the sandbox's own view. */
  BULKHEAD_TOOLS: z.string().default("/opt/bulkhead"),
});
export type AgentEnv = z.infer<typeof agentEnvSchema>;
