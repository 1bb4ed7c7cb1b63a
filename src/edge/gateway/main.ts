import { makeDocumentClient } from "#aws/clients.ts";
import { readPublicKey } from "#aws/kms-token-signer.ts";
import { makeDynamoStores } from "#aws/stores.ts";
import { readEnvironment } from "#contracts/environment.ts";
import { inAddressRange } from "#core/address-range.ts";
import { makeMetricSignals } from "#core/alerts/metric-signals.ts";
import { dataAudit, makeAudit } from "#core/audit.ts";
import { makeKeyService } from "#core/keys.ts";
import { systemClock as clock } from "#core/system-clock.ts";
import { makeTokenVerifier } from "#core/tokens.ts";
import { makeGateway } from "#gateway/gateway.ts";
import { drainMs, failToStart, listening, makeService, runUntilStopped } from "../service.ts";
import { makeTableDirectory } from "./directory.ts";
import { balancerIdleSeconds, gatewayEnvSchema } from "./env.ts";

/** Composition root of the gateway as a container behind a load balancer. */
async function main(): Promise<void> {
  const env = readEnvironment(gatewayEnvSchema, process.env);
  const { logger, metrics } = makeService("gateway", env);
  const region = env.AWS_REGION;
  const stores = makeDynamoStores({ client: makeDocumentClient(region), table: env.BULKHEAD_TABLE, clock, logger });
  const publicKey = await readPublicKey({ region, keyId: env.BULKHEAD_SIGNING_KEY });
  const audit = makeAudit(stores.audit, clock, logger);
  const gateway = makeGateway({
    directory: makeTableDirectory(stores.sandboxes, stores.instances),
    tokens: makeTokenVerifier(publicKey, () => clock.now()),
    keys: makeKeyService({ keys: stores.keys, audit, clock, signals: makeMetricSignals(metrics, logger) }),
    audit: dataAudit(audit),
    activity: { touch: (id) => stores.sandboxes.touch(id, clock.now()) },
    clock,
    logger,
    metrics,
    options: {
      trustForwarded: true,
      // CloudFront and the load balancer, or the load balancer alone.
      forwardedHops: env.BULKHEAD_DOMAIN === "" ? 2 : 1,
      auditContent: env.BULKHEAD_AUDIT_CONTENT === "1",
      // With the four seconds that a key is trusted, what is open ends within five of a revocation elsewhere.
      recheckMs: 800,
      // Behind CloudFront the load balancer says http: that is what it was asked in. Both fronts send callers to https.
      callersSpeak: "https",
      keepIdleMs: (balancerIdleSeconds + 60) * 1000,
      isAgentHost: inAddressRange(env.BULKHEAD_SANDBOX_CIDR),
      ...(env.BULKHEAD_DOMAIN !== "" && { domain: env.BULKHEAD_DOMAIN }),
    },
  });
  await listening(gateway.server, env.BULKHEAD_PORT);
  logger.info("listening", { port: env.BULKHEAD_PORT });
  await runUntilStopped(logger, () => gateway.close(drainMs));
}

main().catch(failToStart);
