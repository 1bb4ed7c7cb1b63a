import { type BulkheadError, toBulkheadError } from "#contracts/errors.ts";
import type { Clock, Timer } from "#core/ports.ts";

/** An exchange that stays open, and what it was let in by. */
export interface HeldExchange {
  /** The same for all that were let in by the same: they are checked together. */
  readonly group: string;
  /** Rejects when it would be refused now. */
  check(): Promise<unknown>;
  cut(error: BulkheadError): void;
}

/** Looks again and again whether what is open would still be let in. */
export interface Recheck {
  /** @returns to be called when it has ended */
  hold(exchange: HeldExchange): () => void;
  stop(): void;
}

/** Refusals of the caller; that something cannot be looked up now cuts nobody. */
const refusals = new Set([401, 403, 404, 409, 410]);

export function makeRecheck(clock: Clock, everyMs: number): Recheck {
  const groups = new Map<string, Set<HeldExchange>>();
  let timer: Timer | null = null;
  let stopped = false;

  async function look(group: ReadonlySet<HeldExchange>): Promise<void> {
    const first = group.values().next();
    if (first.done === true) return;
    try {
      await first.value.check();
    } catch (thrown) {
      const error = toBulkheadError(thrown);
      if (refusals.has(error.status)) for (const exchange of [...group]) exchange.cut(error);
    }
  }

  function arm(): void {
    if (timer !== null || stopped || groups.size === 0) return;
    timer = clock.after(everyMs, () => {
      timer = null;
      void Promise.all([...groups.values()].map(look)).then(arm);
    });
  }

  return {
    hold(exchange) {
      const group = groups.get(exchange.group) ?? new Set();
      groups.set(exchange.group, group.add(exchange));
      arm();
      return () => {
        group.delete(exchange);
        if (group.size === 0 && groups.get(exchange.group) === group) groups.delete(exchange.group);
      };
    },
    stop() {
      stopped = true;
      timer?.cancel();
    },
  };
}
