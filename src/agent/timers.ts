import type { AgentClock } from "./clock.ts";

/** Delays that count only while the sandbox is not frozen: a run that was paused has the time that it had left. */
export interface ActiveTimers {
  /** Calls back once after `delayMs` of unfrozen time, never where that is infinite; the returned function calls it off. */
  after(delayMs: number, callback: () => void): () => void;
  freeze(): void;
  thaw(): void;
}

/** Node's timers take no more than 2^31 - 1. */
const longestWaitMs = 2 ** 30;

interface Delay {
  leftMs: number;
  startedAt: number;
  cancel: () => void;
  readonly callback: () => void;
}

export function makeActiveTimers(clock: AgentClock): ActiveTimers {
  const delays = new Set<Delay>();
  let frozen = false;

  function start(delay: Delay): void {
    delay.startedAt = clock.now();
    const wait = Math.min(delay.leftMs, longestWaitMs);
    delay.cancel = clock.after(wait, () => {
      delay.leftMs -= wait;
      if (delay.leftMs > 0) {
        start(delay);
        return;
      }
      delays.delete(delay);
      delay.callback();
    });
  }

  return {
    after(delayMs, callback) {
      const delay: Delay = { leftMs: delayMs, startedAt: clock.now(), cancel: () => {}, callback };
      delays.add(delay);
      if (!frozen) start(delay);
      return () => {
        delay.cancel();
        delays.delete(delay);
      };
    },
    freeze() {
      if (frozen) return;
      frozen = true;
      for (const delay of delays) {
        delay.cancel();
        delay.leftMs = Math.max(0, delay.leftMs - (clock.now() - delay.startedAt));
      }
    },
    thaw() {
      if (!frozen) return;
      frozen = false;
      for (const delay of delays) start(delay);
    },
  };
}
