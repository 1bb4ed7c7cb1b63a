import type { AgentClock } from "../clock.ts";

/** How many frames go out singly; the published JavaScript client takes in about 10,000 a second. */
export interface FrameBudget {
  /** Whether `frames` more may go now; if so they are counted. */
  take(frames: number): boolean;
}

const burst = 20_000;
const perSecond = 5_000;

export function makeFrameBudget(clock: Pick<AgentClock, "now">): FrameBudget {
  let left = burst;
  let at = clock.now();
  return {
    take(frames) {
      const now = clock.now();
      left = Math.min(burst, left + (Math.max(0, now - at) * perSecond) / 1000);
      at = now;
      if (frames > left) return false;
      left -= frames;
      return true;
    },
  };
}
