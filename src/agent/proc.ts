import { readdirSync, readFileSync } from "node:fs";

/** One process as /proc/<pid>/stat shows it. Times are in clock ticks, 100 a second on Linux. */
export interface ProcessStat {
  readonly pid: number;
  readonly name: string;
  readonly state: string;
  readonly parent: number;
  readonly group: number;
  readonly session: number;
  readonly cpuTicks: number;
  readonly startTicks: number;
  readonly residentPages: number;
}

export const ticksPerSecond = 100;

/** A file of /proc; undefined when the process has gone. */
export function readProc(pid: number | "self", file: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return undefined;
  }
}

export function pids(): readonly number[] {
  return readdirSync("/proc").flatMap((name) => (/^\d+$/.test(name) ? [Number(name)] : []));
}

/** proc(5): the name stands in parentheses and may itself contain some. */
export function parseStat(line: string): ProcessStat | undefined {
  const open = line.indexOf("(");
  const close = line.lastIndexOf(")");
  if (open < 0 || close < 0) return undefined;
  const fields = line.slice(close + 2).split(" ");
  const number = (field: number) => Number(fields[field - 3] ?? 0);
  return {
    pid: Number(line.slice(0, open)),
    name: line.slice(open + 1, close),
    state: fields[0] ?? "?",
    parent: number(4),
    group: number(5),
    session: number(6),
    cpuTicks: number(14) + number(15),
    startTicks: number(22),
    residentPages: number(24),
  };
}

export function statOf(pid: number): ProcessStat | undefined {
  const line = readProc(pid, "stat");
  return line === undefined ? undefined : parseStat(line);
}

/** Effective uid, in this user namespace. */
export function uidOf(pid: number): number | undefined {
  const uid = readProc(pid, "status")?.match(/^Uid:\s+\d+\s+(\d+)/m)?.[1];
  return uid === undefined ? undefined : Number(uid);
}
