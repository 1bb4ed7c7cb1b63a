import type { Clock, Timer } from "#core/ports.ts";
import type { Logger } from "#telemetry/logger.ts";
import type { ActivitySink } from "./ports.ts";

/** Something open towards a sandbox, asked once per period. */
export interface OpenExchange {
  readonly sandboxId: string;
  /** Whether it was in use since it was last asked. */
  wasActive(): boolean;
}

export interface ActivityReporter {
  /** Reports use now, unless the sandbox was reported less than one period ago. */
  touch(sandboxId: string): void;
  /** Keeps reporting while the exchange is open and in use. Returns what ends that. */
  open(exchange: OpenExchange): () => void;
  stop(): void;
}

interface ReporterDeps {
  readonly sink: ActivitySink;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** One timer for all open exchanges; it rests while there are none. */
export function makeActivityReporter(deps: ReporterDeps, everyMs: number): ActivityReporter {
  const lastTouch = new Map<string, number>();
  const exchanges = new Set<OpenExchange>();
  let timer: Timer | null = null;

  const touch = (sandboxId: string): void => {
    const now = deps.clock.now();
    const last = lastTouch.get(sandboxId);
    if (last !== undefined && now - last < everyMs) return;
    lastTouch.set(sandboxId, now);
    deps.sink.touch(sandboxId).catch((error: unknown) => {
      lastTouch.delete(sandboxId);
      deps.logger.warn("Activity was not recorded", { sandboxId, error });
    });
  };

  const arm = (): void => {
    if (timer === null && (exchanges.size > 0 || lastTouch.size > 0)) timer = deps.clock.after(everyMs, round);
  };

  const round = (): void => {
    timer = null;
    for (const exchange of exchanges) if (exchange.wasActive()) touch(exchange.sandboxId);
    const stale = deps.clock.now() - 2 * everyMs;
    for (const [sandboxId, at] of lastTouch) if (at <= stale) lastTouch.delete(sandboxId);
    arm();
  };

  return {
    touch(sandboxId) {
      touch(sandboxId);
      arm();
    },
    open(exchange) {
      exchanges.add(exchange);
      arm();
      return () => {
        exchanges.delete(exchange);
      };
    },
    stop() {
      timer?.cancel();
      timer = null;
    },
  };
}
