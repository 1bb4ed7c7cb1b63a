import { BulkheadError } from "#contracts/errors.ts";
import type { Clock } from "./ports.ts";

/** Lets so many through at once, the others in order of arrival: of a burst the first are served soon, instead of all late. */
export interface Gate {
  /**
   * Resolves when there is room.
   * @returns what to call when done
   * @throws BulkheadError CAPACITY_EXHAUSTED when there was none within `waitMs`
   */
  enter(waitMs: number): Promise<() => void>;
}

export function makeGate(clock: Clock, width: number): Gate {
  let inside = 0;
  const queue = new Set<() => void>();

  function leave(): void {
    inside -= 1;
    const next = queue.values().next();
    if (next.done !== true) next.value();
  }

  return {
    async enter(waitMs) {
      if (inside >= width) {
        await new Promise<void>((resolve, reject) => {
          const timer = clock.after(waitMs, () => {
            queue.delete(go);
            reject(
              new BulkheadError("CAPACITY_EXHAUSTED", "Too many sandboxes are being created. Try again in a moment.", {
                details: { retry_after_seconds: 2 },
              }),
            );
          });
          const go = () => {
            queue.delete(go);
            timer.cancel();
            // Taken here and not by the waiter: nobody slips in between.
            inside += 1;
            resolve();
          };
          queue.add(go);
        });
      } else inside += 1;
      let left = false;
      return () => {
        if (left) return;
        left = true;
        leave();
      };
    },
  };
}
