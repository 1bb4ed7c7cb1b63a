import type { AgentClock } from "../clock.ts";
import type { ProcessStat } from "../proc.ts";
import type { ActiveTimers } from "../timers.ts";
import { byDepth, type Processes } from "./processes.ts";
import { runningOf, stopAll } from "./stop-all.ts";

/**
 * Stops every process of user code where it stands and lets it go on later; memory, open files and connections stay.
 * Parents are stopped before their children and go on after them, so that a shell never sees its job stopped.
 */
export interface Freezer {
  readonly frozen: boolean;
  /** Resolves when nothing of user code runs any more. Safe to repeat. @throws BulkheadError SERVICE_UNAVAILABLE: then nothing is stopped */
  freeze(): Promise<void>;
  /** Safe to repeat. */
  thaw(): Promise<void>;
}

export interface FreezerOptions {
  readonly processes: Processes;
  readonly timers: Pick<ActiveTimers, "freeze" | "thaw">;
  readonly clock: AgentClock;
}

/** How often a frozen sandbox is looked through for what was about to start when it was frozen. */
const patrolMs = 500;

/** A pid may be used again; together with its start it is one process for ever. */
const nameOf = ({ pid, startTicks }: ProcessStat) => `${pid}:${startTicks}`;

export function makeFreezer({ processes, timers, clock }: FreezerOptions): Freezer {
  let frozen = false;
  /** What this stopped: what user code had stopped by itself stays so. */
  let stopped = new Set<string>();
  let queue: Promise<void> = Promise.resolve();
  let endPatrol = (): void => {};

  function patrol(): void {
    endPatrol();
    endPatrol = clock.after(patrolMs, () => {
      for (const each of runningOf(processes)) {
        stopped.add(nameOf(each));
        processes.signal(each.pid, "SIGSTOP");
      }
      patrol();
    });
  }

  function goOn(): void {
    endPatrol();
    const ours = processes.list().filter((each) => stopped.has(nameOf(each)));
    for (const level of [...byDepth(ours)].reverse()) {
      for (const { pid } of level) processes.signal(pid, "SIGCONT");
    }
    stopped = new Set();
    timers.thaw();
    frozen = false;
  }

  /** One after the other: a thaw that overtook its freeze would be lost. */
  function inTurn(work: () => Promise<void> | void): Promise<void> {
    const done = queue.then(work);
    queue = done.catch(() => undefined);
    return done;
  }

  return {
    get frozen() {
      return frozen;
    },
    freeze: () =>
      inTurn(async () => {
        frozen = true;
        timers.freeze();
        try {
          await stopAll(processes, clock, (each) => stopped.add(nameOf(each)));
        } catch (thrown) {
          goOn();
          throw thrown;
        }
        patrol();
      }),
    thaw: () =>
      inTurn(() => {
        if (frozen) goOn();
      }),
  };
}
