import type { Server } from "node:http";
import { makeSecretMemory, type SecretMemory } from "#core/delivered-secrets.ts";
import { systemClock as clock } from "#core/system-clock.ts";
import { reportCrash } from "#telemetry/crash.ts";
import { makeJsonLogger } from "#telemetry/json-logger.ts";
import type { Logger } from "#telemetry/logger.ts";
import { type Metrics, makeEmfMetrics } from "#telemetry/metrics.ts";
import { redactText } from "#telemetry/redact.ts";
import { makeSecretValues } from "#telemetry/secret-values.ts";

export interface ServiceEnv {
  readonly BULKHEAD_DEPLOYMENT: string;
  readonly BULKHEAD_LOG_LEVEL: "debug" | "info" | "warn" | "error";
}

/** What both containers have. */
export interface Service {
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Writes one line to the container's log. */
  readonly write: (line: string) => void;
  /** Values of secrets that it has used in the last minutes. Its log holds none of them. */
  readonly secretValues: SecretMemory;
}

export function makeService(name: string, env: ServiceEnv): Service {
  const write = (line: string) => void process.stdout.write(`${line}\n`);
  const now = () => clock.now();
  const secretValues = makeSecretMemory(makeSecretValues(), clock);
  const hide = (text: string) => secretValues.hide(text);
  const logger = makeJsonLogger({ level: env.BULKHEAD_LOG_LEVEL, write, now, hide }).child({ service: name });
  reportCrash(logger, { rejections: "log" });
  return { logger, write, secretValues, metrics: makeEmfMetrics({ deployment: env.BULKHEAD_DEPLOYMENT, write, now }) };
}

/** A container has 120 s from SIGTERM to its end (`stopTimeout`): what is open gets most of it. */
export const drainMs = 100_000;

/** Runs a service until it is told to stop; then `drain` and the end, whatever is still open. */
export async function runUntilStopped(logger: Logger, drain: () => Promise<void>): Promise<never> {
  const signal = await new Promise<string>((resolve) => {
    for (const name of ["SIGTERM", "SIGINT"] as const) process.once(name, () => resolve(name));
  });
  logger.info("draining", { signal });
  await drain();
  logger.info("stopped");
  process.exit(0);
}

export function listening(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "0.0.0.0", () => {
      server.off("error", reject);
      resolve();
    });
  });
}

/** Ends the process with one line that says why. */
export function failToStart(thrown: unknown): never {
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  process.stderr.write(`${JSON.stringify({ level: "error", message: "cannot start", error: redactText(message) })}\n`);
  process.exit(1);
}
