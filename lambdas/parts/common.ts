import type { Clock } from "#core/ports.ts";
import { systemClock as clock } from "#core/system-clock.ts";
import { makeJsonLogger } from "#telemetry/json-logger.ts";
import type { Logger } from "#telemetry/logger.ts";
import { type Metrics, makeEmfMetrics } from "#telemetry/metrics.ts";

export interface CommonEnv {
  readonly AWS_REGION: string;
  readonly BULKHEAD_DEPLOYMENT: string;
  readonly BULKHEAD_LOG_LEVEL: "debug" | "info" | "warn" | "error";
}

/** What every function has. */
export interface Common {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

export function makeCommon(service: string, env: CommonEnv): Common {
  const write = (line: string) => void process.stdout.write(`${line}\n`);
  const now = () => clock.now();
  const logger = makeJsonLogger({ level: env.BULKHEAD_LOG_LEVEL, write, now }).child({ service });
  return { clock, logger, metrics: makeEmfMetrics({ deployment: env.BULKHEAD_DEPLOYMENT, write, now }) };
}
