import type { Enforcement } from "#contracts/domain.ts";

/** What holds each limit of an instance on Fargate (design §7). */
export const fargateEnforcement: Enforcement = {
  cpu: "fargate-task-size",
  memory: "fargate-task-size",
  /** Set by the image's entry point: Fargate takes no ulimit but nofile. */
  pids: "prlimit",
  /** Scratch by the task's own disk; the workspace is measured by the agent, which refuses writes: EFS has no quota. */
  disk: "fargate-disk, metered-efs",
  network: "security-group",
  identity: "two-uid",
  /** A task is a virtual machine of its own. */
  syscalls: "microvm",
};
