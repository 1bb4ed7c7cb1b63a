import { readFileSync } from "node:fs";

function kilobytes(path: string, field: string): number {
  try {
    return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(readFileSync(path, "utf8"))?.[1] ?? 0);
  } catch {
    return 0;
  }
}

/** Proportional set size of one process, in MB. */
export function pssOf(pid: number): number {
  return kilobytes(`/proc/${pid}/smaps_rollup`, "Pss") / 1024;
}

/** Anonymous memory of one process, in MB. */
export function anonymousOf(pid: number): number {
  return kilobytes(`/proc/${pid}/smaps_rollup`, "Anonymous") / 1024;
}

/** Anonymous pages of the whole host, in MB: what shared counting cannot hide. */
export function anonymousMemory(): number {
  return kilobytes("/proc/meminfo", "AnonPages") / 1024;
}
