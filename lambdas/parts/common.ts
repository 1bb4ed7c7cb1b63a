import { makeSecretMemory, type SecretMemory } from "#core/delivered-secrets.ts";
import type { Clock } from "#core/ports.ts";
import { systemClock as clock } from "#core/system-clock.ts";
import { reportCrash } from "#telemetry/crash.ts";
import { makeJsonLogger } from "#telemetry/json-logger.ts";
import type { Logger } from "#telemetry/logger.ts";
import { type Metrics, makeEmfMetrics } from "#telemetry/metrics.ts";
import { makeSecretValues } from "#telemetry/secret-values.ts";

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
  /** Values of secrets that this function has dealt with in the last minutes. Its log, errors and audit events hold none of them. */
  readonly secretValues: SecretMemory;
}

export function makeCommon(service: string, env: CommonEnv): Common {
  const write = (line: string) => void process.stdout.write(`${line}\n`);
  const now = () => clock.now();
  const secretValues = makeSecretMemory(makeSecretValues(), clock);
  const hide = (text: string) => secretValues.hide(text);
  const logger = makeJsonLogger({ level: env.BULKHEAD_LOG_LEVEL, write, now, hide }).child({ service });
  reportCrash(logger);
  return { clock, logger, secretValues, metrics: makeEmfMetrics({ deployment: env.BULKHEAD_DEPLOYMENT, write, now }) };
}
