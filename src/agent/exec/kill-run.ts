import type { Marks } from "./marks.ts";

/** What is signalled: a process, or with a negative number a process group. */
export type Signal = (target: number, signal: "SIGTERM" | "SIGKILL") => void;

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

/** Ends the group and every process that carries the run's mark, wherever it went. */
export function killRun(group: number, mark: number, marks: Marks, signal: Signal = signalProcess): void {
  signal(-group, "SIGKILL");
  for (let lap = 0; lap < maxLaps; lap += 1) {
    const carriers = marks.carriers(mark);
    if (carriers.length === 0) return;
    for (const pid of carriers) signal(pid, "SIGKILL");
  }
}
