import * as z from "zod";

/** States of a sandbox (design §5). `creating` and `deleting` are on their way somewhere and carry a deadline. */
export const sandboxStatuses = ["creating", "running", "paused", "stopped", "deleting", "deleted", "failed"] as const;
export type SandboxStatus = (typeof sandboxStatuses)[number];

/** Why a sandbox ended; kept in its tombstone and answered with 410. */
export const endReasons = [
  /** DELETE by a caller. */
  "killed",
  /** `timeout_seconds` passed. */
  "timeout",
  /** No activity for the idle timeout. */
  "idle",
  /** The maximum lifetime passed. */
  "lifetime",
  /** The memory limit was reached and the agent itself died. */
  "out_of_memory",
  /** The writable disk was full and the instance could not go on. */
  "disk_full",
  /** The agent or its instance died without one of the causes above. */
  "task_failed",
  /** The platform or its host stopped or restarted underneath the sandbox. */
  "host_retired",
  /** The sandbox never became ready. */
  "create_failed",
  /** The caller hung up before it learned of its sandbox and did not repeat the request. */
  "undelivered",
] as const;
export type EndReason = (typeof endReasons)[number];

/** Whole numbers only: a fractional vCPU crashes Python clients (contract rule 11). */
export const resourcesSchema = z.object({
  vcpu: z.number().int().min(1),
  memory_mb: z.number().int().min(64),
  disk_mb: z.number().int().min(16),
});
export type Resources = z.infer<typeof resourcesSchema>;

/** What holds a limit, by name of the mechanism; "none" only when the operator allowed unenforced limits. */
export const enforcementSchema = z.object({
  cpu: z.string(),
  memory: z.string(),
  pids: z.string(),
  disk: z.string(),
  network: z.string(),
  /** "two-uid": agent and user code are different users; "one-uid": user code could signal the agent. */
  identity: z.string(),
  syscalls: z.string(),
});
export type Enforcement = z.infer<typeof enforcementSchema>;
