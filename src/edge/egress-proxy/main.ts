import { createServer } from "node:http";
import { makeDocumentClient } from "#aws/clients.ts";
import { makeDynamoStores } from "#aws/stores.ts";
import { readEnvironment } from "#contracts/environment.ts";
import { inAddressRange } from "#core/address-range.ts";
import { systemClock as clock } from "#core/system-clock.ts";
import { makePublicOnlyPolicy } from "#egress/policy.ts";
import { makeEgressProxy } from "#egress/proxy.ts";
import { makeQueryResolver } from "#egress/query-resolver.ts";
import { systemHostAddresses } from "#egress/system-resolver.ts";
import { drainMs, failToStart, listening, makeService, runUntilStopped } from "../service.ts";
import { makeDecisionLines } from "./decision-lines.ts";
import { egressProxyEnvSchema } from "./env.ts";
import { makeIdentify } from "./identify.ts";

/** Composition root of the egress proxy as a container. */
async function main(): Promise<void> {
  const env = readEnvironment(egressProxyEnvSchema, process.env);
  const { logger, metrics, write } = makeService("egress-proxy", env);
  const client = makeDocumentClient(env.AWS_REGION);
  const { instances, sandboxes } = makeDynamoStores({ client, table: env.BULKHEAD_TABLE, clock, logger });
  const proxy = makeEgressProxy({
    resolver: makeQueryResolver(),
    policy: makePublicOnlyPolicy({ hostAddresses: systemHostAddresses }),
    decisions: makeDecisionLines(write, metrics),
    clock,
    logger,
  });
  const egress = await proxy.listenTcp({
    host: "0.0.0.0",
    port: env.BULKHEAD_PORT,
    isInstanceHost: inAddressRange(env.BULKHEAD_SANDBOX_CIDR),
    identify: makeIdentify({ instances, sandboxes, clock }),
  });
  const health = createServer((req, res) => res.writeHead(req.url === "/health" ? 200 : 404).end());
  await listening(health, env.BULKHEAD_HEALTH_PORT);
  logger.info("listening", { port: egress.port });
  await runUntilStopped(logger, async () => {
    health.close();
    await egress.close(drainMs);
  });
}

main().catch(failToStart);
