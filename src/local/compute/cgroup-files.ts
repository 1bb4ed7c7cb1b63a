import { existsSync, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";

/** Limits of one instance. */
export interface CgroupLimits {
  readonly memoryBytes: number;
  readonly vcpu: number;
  readonly pids: number;
}

const cpuPeriodUs = 100_000;

/** Files and values that hold the limits; in the order they must be written. `optional` ones exist only with swap accounting. */
export function limitFiles(
  kind: "v1" | "v2",
  limits: CgroupLimits,
): Readonly<Record<"memory" | "cpu" | "pids", readonly { file: string; value: string; optional?: true }[]>> {
  const memory = String(limits.memoryBytes);
  const quota = Math.round(limits.vcpu * cpuPeriodUs);
  const pids = [{ file: "pids.max", value: String(limits.pids) }];
  if (kind === "v2") {
    return {
      memory: [
        { file: "memory.max", value: memory },
        { file: "memory.swap.max", value: "0", optional: true },
      ],
      cpu: [{ file: "cpu.max", value: `${quota} ${cpuPeriodUs}` }],
      pids,
    };
  }
  return {
    memory: [
      { file: "memory.limit_in_bytes", value: memory },
      { file: "memory.memsw.limit_in_bytes", value: memory, optional: true },
    ],
    cpu: [
      { file: "cpu.cfs_period_us", value: String(cpuPeriodUs) },
      { file: "cpu.cfs_quota_us", value: String(quota) },
    ],
    pids,
  };
}

export async function writeLimits(
  directory: string,
  files: readonly { file: string; value: string; optional?: true }[],
): Promise<void> {
  for (const { file, value, optional } of files) {
    const path = `${directory}/${file}`;
    if (optional && !existsSync(path)) continue;
    await writeFile(path, value);
  }
}

/** Process ids in a cgroup; empty when it is gone. */
export function readMembers(directory: string): readonly number[] {
  try {
    return readFileSync(`${directory}/cgroup.procs`, "utf8").split("\n").filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

/** How many processes of this cgroup the kernel killed for lack of memory. */
export function readOomKills(kind: "v1" | "v2", directory: string): number {
  try {
    const text = readFileSync(`${directory}/${kind === "v2" ? "memory.events" : "memory.oom_control"}`, "utf8");
    return Number(/^oom_kill (\d+)$/m.exec(text)?.[1] ?? 0);
  } catch {
    return 0;
  }
}
