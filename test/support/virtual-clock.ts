import type { Clock, Timer } from "#core/ports.ts";

interface Pending {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

/** Time that moves only when told to, and randomness that a seed decides. */
export interface VirtualClock extends Clock {
  /** Lets `ms` pass: runs every timer that falls due, in order, and lets what they started go as far as it can. */
  advance(ms: number): Promise<void>;
  /** Lets everything that needs no time go as far as it can. */
  settle(): Promise<void>;
}

/** mulberry32: small, fast, good enough to make test worlds differ. */
export function makeRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

export function makeVirtualClock(options: { readonly startAt?: number; readonly seed?: number } = {}): VirtualClock {
  const random = makeRandom(options.seed ?? 1);
  let now = options.startAt ?? 1_800_000_000_000;
  let order = 0;
  let pending: Pending[] = [];

  async function settle(): Promise<void> {
    // Each round lets one layer of promises finish; work without timers is done well within these.
    for (let round = 0; round < 60; round += 1) await Promise.resolve();
    await new Promise((resolve) => setImmediate(resolve));
  }

  function after(ms: number, run: () => void): Timer {
    const entry: Pending = { at: now + Math.max(0, ms), order: order++, run };
    pending.push(entry);
    return {
      cancel() {
        pending = pending.filter((other) => other !== entry);
      },
    };
  }

  return {
    now: () => now,
    after,
    sleep: (ms) => new Promise((resolve) => void after(ms, resolve)),
    random: (bytes) => Uint8Array.from({ length: bytes }, () => Math.floor(random() * 256)),
    settle,
    async advance(ms) {
      const until = now + ms;
      await settle();
      for (;;) {
        const next = pending.filter((entry) => entry.at <= until).sort((a, b) => a.at - b.at || a.order - b.order)[0];
        if (next === undefined) break;
        pending = pending.filter((entry) => entry !== next);
        now = Math.max(now, next.at);
        next.run();
        await settle();
      }
      now = until;
      await settle();
    },
  };
}
