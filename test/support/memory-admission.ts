import type { Clock, LaunchAdmission } from "#core/ports.ts";

/** The same line as in DynamoDB, for one process: places at `perSecond` after a `burst`. */
export function makeMemoryAdmission(options: {
  readonly clock: Clock;
  readonly perSecond: number;
  readonly burst: number;
}): LaunchAdmission {
  const { clock, perSecond, burst } = options;
  /** Times of the places given, oldest first. */
  const given: number[] = [];
  return {
    async admit(maxWaitMs) {
      const now = clock.now();
      const step = 1000 / perSecond;
      // Each place fills the bucket by one, and it leaks one each step: replayed from the first place on.
      let level = 0;
      let at = given[0] ?? now;
      for (const time of given) {
        level = Math.max(0, level - (time - at) / step) + 1;
        at = time;
      }
      level = Math.max(0, level - (now - at) / step);
      const waitMs = Math.max(0, Math.ceil((level - (burst - 1)) * step - 1e-6));
      if (waitMs <= maxWaitMs) {
        given.push(now);
        return { waitMs };
      }
      const spread = ((clock.random(1)[0] ?? 0) / 256) * Math.max(5_000, level * step);
      return { retryAfterSeconds: Math.min(60, Math.ceil((waitMs - maxWaitMs + spread) / 1000)) };
    },
  };
}
