import { randomBytes } from "node:crypto";
import type { Clock } from "#core/ports.ts";

/** The real time and the kernel's randomness. Timers never keep the process alive. */
export const systemClock: Clock = {
  now: () => Date.now(),
  after(ms, run) {
    const timer = setTimeout(run, ms);
    timer.unref();
    return { cancel: () => clearTimeout(timer) };
  },
  sleep: (ms) =>
    new Promise((resolve) => {
      setTimeout(resolve, ms);
    }),
  random: (bytes) => randomBytes(bytes),
};
