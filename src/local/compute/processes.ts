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

/**
 * Descriptors this process was started with and would pass on to every child: Node opens its own with close-on-exec, so what has
 * no such flag came from whoever started us (a terminal, a CI runner, an IPC channel) and has no business in a sandbox.
 */
export function inheritedDescriptors(): readonly number[] {
  const closeOnExec = 0o2000000;
  return readdirSync("/proc/self/fdinfo")
    .map(Number)
    .filter((fd) => {
      try {
        const flags = /^flags:\s+(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, "utf8"))?.[1] ?? "0";
        return fd > 2 && (Number.parseInt(flags, 8) & closeOnExec) === 0;
      } catch {
        return false;
      }
    });
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
