import { BulkheadError } from "#contracts/errors.ts";
import type { EgressRow } from "#core/model.ts";
import type { Clock, EgressStore } from "#core/ports.ts";
import type { Logger } from "#telemetry/logger.ts";
import type { Journal } from "./journal.ts";

export interface Batch {
  readonly rows: readonly EgressRow[];
  /** Number of the last ended row; null: there is none. */
  readonly through: number | null;
}

export interface ShipperOptions {
  readonly store: Pick<EgressStore, "append">;
  readonly journal: Pick<Journal, "shipped">;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The next batch; an empty one: there is nothing. */
  readonly take: () => Batch;
}

export interface Shipper {
  /** Ships until there is nothing. A run under way is joined. Never rejects. */
  run(): Promise<void>;
  /** Runs until `isEmpty` and nothing is under way, or for so long. @returns which */
  flush(withinMs: number, isEmpty: () => boolean): Promise<boolean>;
  /** A row went past the store: from now on no mark says that it has all. */
  skip(): void;
  /** Gives up what is under way. */
  stop(): void;
}

const firstPauseMs = 200;
const longestPauseMs = 10_000;
/** For what the store refuses for itself: it will refuse it for ever, and the rows behind it would never be shipped. */
const attemptsOfRefused = 4;

/** One batch at a time, in order, each until the store has it. */
export function makeShipper({ store, journal, clock, logger, take }: ShipperOptions): Shipper {
  let running: Promise<void> | null = null;
  let stopped = false;
  let skipped = false;

  /** One that does not keep the process alive. */
  const pause = (ms: number) => new Promise<void>((resolve) => void clock.after(ms, resolve));

  async function shipAll(): Promise<void> {
    for (;;) {
      const batch = take();
      if (batch.rows.length === 0 || stopped) return;
      const shipped = await ship(batch.rows);
      skipped ||= !shipped;
      // A mark says "all up to here": not past rows that were given up.
      if (batch.through !== null && !skipped) journal.shipped(batch.through);
    }
  }

  async function ship(rows: readonly EgressRow[]): Promise<boolean> {
    for (let attempt = 1; !stopped; attempt += 1) {
      try {
        await store.append(rows);
        return true;
      } catch (error) {
        if (isRefused(error) && attempt >= attemptsOfRefused) {
          logger.error("Egress rows are in the journal only: the store refuses them", { rows: rows.length, error });
          return false;
        }
        if (attempt === 1 || attempt % 10 === 0) {
          logger.warn("Egress rows wait: the store did not take them", { rows: rows.length, attempt, error });
        }
        await pause(Math.min(longestPauseMs, firstPauseMs * 2 ** (attempt - 1)));
      }
    }
    return false;
  }

  const run = () => {
    running ??= shipAll().finally(() => {
      running = null;
    });
    return running;
  };

  return {
    run,
    async flush(withinMs, isEmpty) {
      const until = clock.now() + withinMs;
      const limit = pause(withinMs);
      while (running !== null || !isEmpty()) {
        await Promise.race([run(), limit]);
        if (clock.now() >= until) break;
      }
      return running === null && isEmpty() && !skipped;
    },
    skip() {
      skipped = true;
    },
    stop() {
      stopped = true;
    },
  };
}

/** SERVICE_UNAVAILABLE is a store that may come back. */
function isRefused(error: unknown): boolean {
  return !(error instanceof BulkheadError) || error.code !== "SERVICE_UNAVAILABLE";
}
