import { statfsSync } from "node:fs";
import { arch, availableParallelism, hostname, platform, totalmem } from "node:os";
import type { ProcessesResponse, ProcessView, SystemResponse } from "#contracts/agent/info.ts";
import { toRfc3339 } from "#contracts/time.ts";
import type { AgentClock } from "./clock.ts";
import type { DiskMeter } from "./disk-meter.ts";
import type { Lifecycle } from "./lifecycle.ts";
import { type ProcessStat, pids, readProc, statOf, ticksPerSecond, uidOf } from "./proc.ts";
import type { Route } from "./router.ts";

export interface SystemOptions {
  readonly lifecycle: Lifecycle;
  readonly clock: AgentClock;
  /** Epoch milliseconds. */
  readonly startedAt: number;
  /** uid of user code; absent: the agent's own. */
  readonly uid?: number;
  /** Directory on the sandbox's disk. */
  readonly disk: string;
  /** Measures `disk` where its file system has no size of its own. */
  readonly meter?: DiskMeter;
}

const bytesPerMb = 1024 * 1024;
const pageBytes = 4096;

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

function usage(total: number, used: number) {
  const percent = total > 0 ? (used / total) * 100 : 0;
  return { total_mb: round(total), used_mb: round(used), free_mb: round(total - used), usage_percent: round(percent) };
}

function diskUsage(path: string, meter: DiskMeter | undefined) {
  if (meter !== undefined) return usage(meter.totalBytes / bytesPerMb, meter.usedBytes() / bytesPerMb);
  try {
    const { blocks, bavail, bsize } = statfsSync(path);
    const total = (blocks * bsize) / bytesPerMb;
    return usage(total, total - (bavail * bsize) / bytesPerMb);
  } catch {
    // No such directory: nothing of it is used.
    return usage(0, 0);
  }
}

/** Seconds since the machine booted. */
function bootSeconds(): number {
  return Number(readProc("self", "../uptime")?.split(" ")[0] ?? 0);
}

function all(): readonly ProcessStat[] {
  return pids().flatMap((pid) => statOf(pid) ?? []);
}

const states: Readonly<Record<string, string>> = {
  R: "running",
  S: "sleeping",
  D: "waiting",
  I: "idle",
  T: "stopped",
  t: "stopped",
  Z: "zombie",
};

function view(stat: ProcessStat, boot: number, memoryMb: number): ProcessView {
  const age = boot - stat.startTicks / ticksPerSecond;
  const resident = (stat.residentPages * pageBytes) / bytesPerMb;
  const command = readProc(stat.pid, "cmdline")?.replaceAll("\0", " ").trim();
  return {
    pid: stat.pid,
    name: stat.name,
    status: states[stat.state] ?? "unknown",
    cpu_percent: age > 0 ? round((stat.cpuTicks / ticksPerSecond / age) * 100) : 0,
    memory_mb: round(resident),
    memory_percent: round((resident / memoryMb) * 100),
    command: command === undefined || command === "" ? stat.name : command,
  };
}

/** User code only: neither the agent nor what runs the sandbox. */
function isUserProcess(stat: ProcessStat, uid: number | undefined): boolean {
  if (stat.pid === 1 || stat.pid === process.pid || stat.pid === process.ppid) return false;
  return uidOf(stat.pid) === (uid ?? process.getuid?.());
}

export interface SystemFigures {
  system(): SystemResponse;
  processes(): ProcessesResponse;
  processCount(): number;
}

/** Figures of the sandbox, not of the machine: what /proc shows of the sandbox's own processes, against the sandbox's limits. */
export function makeSystemFigures({ lifecycle, clock, startedAt, uid, disk, meter }: SystemOptions): SystemFigures {
  let before = { at: startedAt, ticks: 0 };
  const cores = () => lifecycle.sandbox()?.resources.vcpu ?? availableParallelism();
  const memoryMb = () => lifecycle.sandbox()?.resources.memory_mb ?? totalmem() / bytesPerMb;

  /** Since the last question, or since the start. */
  function cpuPercent(processes: readonly ProcessStat[], now: number): number {
    const ticks = processes.reduce((sum, each) => sum + each.cpuTicks, 0);
    const seconds = (now - before.at) / 1000;
    const spent = Math.max(0, ticks - before.ticks) / ticksPerSecond;
    if (seconds >= 0.1) before = { at: now, ticks };
    return seconds > 0 ? Math.min(100, round((spent / seconds / cores()) * 100)) : 0;
  }

  function system(): SystemResponse {
    const now = clock.now();
    const processes = all();
    const resident = processes.reduce((sum, each) => sum + each.residentPages * pageBytes, 0) / bytesPerMb;
    return {
      cpu: { cores: cores(), usage_percent: cpuPercent(processes, now) },
      memory: usage(memoryMb(), Math.min(resident, memoryMb())),
      disk: diskUsage(disk, meter),
      uptime_seconds: (now - startedAt) / 1000,
      hostname: hostname(),
      os: platform(),
      arch: arch(),
      timestamp: toRfc3339(now),
    };
  }

  function processes(): ProcessesResponse {
    const boot = bootSeconds();
    const own = all().filter((stat) => isUserProcess(stat, uid));
    const list = own.map((stat) => view(stat, boot, memoryMb()));
    return { processes: list, count: list.length, timestamp: toRfc3339(clock.now()) };
  }

  return { system, processes, processCount: () => all().filter((stat) => isUserProcess(stat, uid)).length };
}

export function systemRoutes(figures: SystemFigures): Route[] {
  return [
    { method: "GET", path: "/system", handle: (request) => request.send(200, figures.system()) },
    { method: "GET", path: "/processes", handle: (request) => request.send(200, figures.processes()) },
  ];
}
