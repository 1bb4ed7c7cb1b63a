import { readdirSync, readFileSync } from "node:fs";

/** SIGKILL; a process that is gone already, or was never ours, is no error. */
export function killQuietly(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // ESRCH: it ended by itself. EPERM cannot be a process of ours.
  }
}

/** Direct children of a process, as host pids. */
export function childrenOf(pid: number): readonly number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

/** Processes with `marker` in their command line. */
export function processesMarked(marker: string): readonly number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((name) => {
      try {
        return readFileSync(`/proc/${name}/cmdline`, "utf8")
          .split("\0")
          .some((word) => word.startsWith(marker));
      } catch {
        return false;
      }
    })
    .map(Number);
}
