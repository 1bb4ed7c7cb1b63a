import type { Enforcement } from "#contracts/domain.ts";

/** What holds each limit of an instance on Fargate (design §7). */
export const fargateEnforcement: Enforcement = {
  cpu: "fargate-task-size",
  memory: "fargate-task-size",
  pids: "rlimit",
  disk: "metered-efs-quota",
  network: "security-group",
  identity: "two-uid",
  syscalls: "microvm",
};
