import { randomBytes } from "node:crypto";
import { makeDocumentClient } from "#aws/clients.ts";
import { makeDynamoStores } from "#aws/stores.ts";
import { makeAudit } from "#core/audit.ts";
import { makeKeyService } from "#core/keys.ts";
import type { Clock } from "#core/ports.ts";
import { makeJsonLogger } from "#telemetry/json-logger.ts";
import { type AuthorizerEvent, type AuthorizerResult, authorize } from "./authorize.ts";
import { env } from "./env.ts";

const clock: Clock = {
  now: () => Date.now(),
  after(ms, run) {
    const timer = setTimeout(run, ms);
    return { cancel: () => clearTimeout(timer) };
  },
  sleep: (ms) => new Promise((resolve) => void setTimeout(resolve, ms)),
  random: (bytes) => randomBytes(bytes),
};
const logger = makeJsonLogger({
  level: "info",
  write: (line) => process.stdout.write(`${line}\n`),
  now: () => clock.now(),
});
const stores = makeDynamoStores({
  client: makeDocumentClient(env.AWS_REGION),
  table: env.BULKHEAD_TABLE,
  clock,
  logger,
});
const keys = makeKeyService({ keys: stores.keys, audit: makeAudit(stores.audit, clock, logger), clock });

/** Lambda authorizer of the HTTP API: who holds the API key. */
export function handler(event: AuthorizerEvent): Promise<AuthorizerResult> {
  return authorize(event, (rawKey) => keys.authenticate(rawKey));
}
