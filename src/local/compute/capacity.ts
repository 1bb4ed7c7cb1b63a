import { readFileSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { BulkheadError } from "#contracts/errors.ts";

export interface ComputeLimits {
  readonly maxInstances: number;
  /** Processes and threads of one instance, the agent's own (about 15) included. */
  readonly pidsPerInstance: number;
  /** What must stay free on the host beside a new instance. */
  readonly memoryMarginMb: number;
  readonly diskMarginMb: number;
  readonly taskMargin: number;
}

export const defaultComputeLimits: ComputeLimits = {
  maxInstances: 400,
  pidsPerInstance: 256,
  memoryMarginMb: 512,
  diskMarginMb: 1024,
  taskMargin: 1024,
};

/** What the host has left. */
export interface HostRoom {
  readonly freeMemoryMb: number;
  readonly freeDiskMb: number;
  /** Processes and threads that can still be started. */
  readonly freeTasks: number;
}

/** Reads the host's room; `dataDir` is where disk images grow. */
export async function readHostRoom(dataDir: string): Promise<HostRoom> {
  const availableKb = Number(/^MemAvailable:\s+(\d+) kB$/m.exec(readFileSync("/proc/meminfo", "utf8"))?.[1] ?? 0);
  const disk = await statfs(dataDir);
  const tasks = Number(/\d+\/(\d+)/.exec(readFileSync("/proc/loadavg", "utf8"))?.[1] ?? 0);
  const limitOf = (name: string): number => Number(readFileSync(`/proc/sys/kernel/${name}`, "utf8"));
  return {
    freeMemoryMb: availableKb / 1024,
    freeDiskMb: (disk.bavail * disk.bsize) / 2 ** 20,
    freeTasks: Math.min(limitOf("pid_max"), limitOf("threads-max")) - tasks,
  };
}

/** Memory and disk are overcommitted (most sandboxes use a fraction), so what counts is what is free now. */
export function checkRoom(room: HostRoom, live: number, limits: ComputeLimits): void {
  const full = (what: string, fix: string): BulkheadError =>
    new BulkheadError("CAPACITY_EXHAUSTED", `This host is full: ${what}. ${fix}`, {
      details: { live_instances: live },
    });
  const later = "End sandboxes you no longer need, or try again later.";
  if (live >= limits.maxInstances) throw full(`${limits.maxInstances} instances are running`, later);
  if (room.freeMemoryMb < limits.memoryMarginMb)
    throw full(`${Math.floor(room.freeMemoryMb)} MB of memory are left`, later);
  if (room.freeDiskMb < limits.diskMarginMb) {
    throw full(`${Math.floor(room.freeDiskMb)} MB of disk are left`, "Free disk space or end sandboxes.");
  }
  if (room.freeTasks < limits.taskMargin) throw full(`${room.freeTasks} processes can still be started`, later);
}
