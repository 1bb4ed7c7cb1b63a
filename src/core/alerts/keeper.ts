import type { Logger } from "#telemetry/logger.ts";
import type { Clock } from "../ports.ts";
import type { Alert, AlertStore } from "./model.ts";

/** Repetitions are stored together, this often. */
const togetherMs = 2_000;
/** Waiting for a store that does not answer; newer ones are in the log and with whoever is notified. */
const maxWaiting = 5_000;

export interface AlertKeeper {
  /** Once for each time it was found. */
  keep(alert: Alert): void;
  settled(): Promise<void>;
}

/** Stores alerts behind the backs of those who raise them, one write at a time. */
export function makeAlertKeeper(store: Pick<AlertStore, "add">, clock: Clock, logger: Logger): AlertKeeper {
  const waiting = new Map<string, { alert: Alert; more: number }>();
  let work: Promise<void> | null = null;
  let timed = false;

  async function writeAll(): Promise<void> {
    while (waiting.size > 0) {
      for (const [id, { alert, more }] of [...waiting]) {
        waiting.delete(id);
        await store
          .add(alert, more)
          .catch((error: unknown) => logger.error("alert not stored", { alert: id, rule: alert.rule, error }));
      }
    }
  }

  function start(): Promise<void> {
    work ??= writeAll().finally(() => {
      work = null;
    });
    return work;
  }

  return {
    keep(alert) {
      const known = waiting.get(alert.id);
      if (known === undefined && waiting.size >= maxWaiting) return;
      waiting.set(alert.id, { alert, more: (known?.more ?? 0) + 1 });
      if (alert.count === 1) void start();
      else if (!timed) {
        timed = true;
        clock.after(togetherMs, () => {
          timed = false;
          void start();
        });
      }
    },
    async settled() {
      await start();
    },
  };
}
