import type { Marks } from "./marks.ts";

/** What is signalled: a process, or with a negative number a process group. */
export type Signal = (target: number, signal: "SIGINT" | "SIGTERM" | "SIGSTOP" | "SIGKILL") => void;

/** Ignores what has gone already. */
export const signalProcess: Signal = (target, signal) => {
  try {
    process.kill(target, signal);
  } catch {
    // ESRCH: it has ended. EPERM: a set-uid program; the end of the sandbox ends it.
  }
};

/** Laps of the hunt for processes that fork while they are hunted. */
const maxLaps = 50;

/**
 * Ends the group and every process that carries the run's mark, wherever it went. All are stopped before the first is killed:
 * at the process limit each one killed would make room for one more fork.
 */
export function killRun(group: number, mark: number, marks: Marks, signal: Signal = signalProcess): void {
  signal(-group, "SIGKILL");
  const found = new Set<number>();
  for (let lap = 0; lap < maxLaps; lap += 1) {
    const fresh = marks.carriers(mark).filter((pid) => !found.has(pid));
    if (fresh.length === 0) break;
    for (const pid of fresh) {
      signal(pid, "SIGSTOP");
      found.add(pid);
    }
  }
  for (const pid of found) signal(pid, "SIGKILL");
}
