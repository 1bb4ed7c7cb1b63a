import type { Resources } from "#contracts/domain.ts";

export interface SandboxSizes {
  readonly memoryBytes: number;
  readonly tmpBytes: number;
  readonly shmBytes: number;
  /** Only where the disk is a tmpfs. */
  readonly workspaceBytes: number;
}

const mib = 2 ** 20;

/**
 * Sizes of the writable file systems in memory. Full ones must leave the agent room to answer: together they take at most half
 * of the memory limit (three quarters where the disk is one of them, which then may be smaller than asked for).
 */
export function sandboxSizes(resources: Resources, disk: "ext4-image" | "tmpfs"): SandboxSizes {
  const memoryBytes = resources.memory_mb * mib;
  const inMemory = disk === "tmpfs";
  return {
    memoryBytes,
    tmpBytes: Math.floor(memoryBytes * (inMemory ? 0.2 : 0.35)),
    shmBytes: Math.floor(memoryBytes * (inMemory ? 0.05 : 0.15)),
    workspaceBytes: Math.min(resources.disk_mb * mib, Math.floor(memoryBytes * 0.5)),
  };
}
