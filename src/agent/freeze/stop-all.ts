import { BulkheadError } from "#contracts/errors.ts";
import type { AgentClock } from "../clock.ts";
import type { ProcessStat } from "../proc.ts";
import { byDepth, type Processes } from "./processes.ts";

/** How long new processes may keep appearing: a fork bomb is stopped in a few laps. */
const longestMs = 3_000;
/** Laps that wait for parents before they go on to their children; what forks faster than that is stopped without ceremony. */
const gentleLaps = 2;
/** A stop takes effect when its process is next scheduled. */
const pollMs = 1;

const isStopped = ({ state }: ProcessStat) => state === "T" || state === "t";
/** Dead, or to stop as soon as the kernel lets go of it: it runs no code of its own until then. */
const isHarmless = ({ state }: ProcessStat) => state === "Z" || state === "X" || state === "D";

/** Processes that run now; what has been stopped, by whomever, is not among them. */
export function runningOf(processes: Pick<Processes, "list">): readonly ProcessStat[] {
  return processes.list().filter((each) => !isStopped(each));
}

/**
 * Stops every process of user code, parents before their children, and again until no new one appears. A shell that still ran when its
 * job stopped would take the terminal back from it. Tells `onStop` of each before it is signalled.
 * @throws BulkheadError SERVICE_UNAVAILABLE when new ones appear faster than that; some are stopped then
 */
export async function stopAll(
  processes: Processes,
  clock: AgentClock,
  onStop: (process: ProcessStat) => void,
): Promise<void> {
  const until = clock.now() + longestMs;
  const poll = () => new Promise<void>((resolve) => void clock.after(pollMs, resolve));
  const settled = ({ pid, startTicks }: ProcessStat) => {
    const now = processes.find(pid);
    return now === undefined || now.startTicks !== startTicks || isStopped(now) || isHarmless(now);
  };

  async function stopLevel(level: readonly ProcessStat[], patient: boolean): Promise<void> {
    for (const each of level) {
      onStop(each);
      processes.signal(each.pid, "SIGSTOP");
    }
    while (patient && !level.every(settled) && clock.now() < until) await poll();
  }

  for (let lap = 0; ; lap += 1) {
    const running = runningOf(processes);
    for (const level of byDepth(running)) await stopLevel(level, lap < gentleLaps);
    if (running.every(isHarmless)) return;
    if (clock.now() >= until) throw tooMany();
    if (lap >= gentleLaps) await poll();
  }
}

function tooMany(): BulkheadError {
  return new BulkheadError(
    "SERVICE_UNAVAILABLE",
    "The sandbox starts processes faster than they can be stopped. End some of them and pause again.",
  );
}
