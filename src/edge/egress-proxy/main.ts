import { createServer } from "node:http";
import { makeDocumentClient } from "#aws/clients.ts";
import { makeStoredAuthority } from "#aws/egress-authority.ts";
import { makeRequestSigner } from "#aws/request-signer/request-signer.ts";
import { makeSecretResolver } from "#aws/secret-resolver.ts";
import { makeDynamoStores } from "#aws/stores.ts";
import { readEnvironment } from "#contracts/environment.ts";
import { inAddressRange } from "#core/address-range.ts";
import { systemClock as clock } from "#core/system-clock.ts";
import { hideInRecord, rememberUsed } from "#egress/hidden-record.ts";
import { makePublicOnlyPolicy } from "#egress/policy.ts";
import { makeEgressProxy } from "#egress/proxy.ts";
import { makeQueryResolver } from "#egress/query-resolver.ts";
import { makeRecorder } from "#egress/record/recorder.ts";
import { makeSecretSource } from "#egress/secret-source.ts";
import { systemHostAddresses } from "#egress/system-resolver.ts";
import { drainMs, failToStart, listening, makeService, runUntilStopped } from "../service.ts";
import { makeLineJournal } from "./decision-lines.ts";
import { egressProxyEnvSchema } from "./env.ts";
import { makeIdentify } from "./identify.ts";
import { makeStoredCertificates } from "./stored-certificates.ts";

/** Composition root of the egress proxy as a container. */
async function main(): Promise<void> {
  const env = readEnvironment(egressProxyEnvSchema, process.env);
  const { logger, metrics, write, secretValues } = makeService("egress-proxy", env);
  const client = makeDocumentClient(env.AWS_REGION);
  const account = { region: env.AWS_REGION, deployment: env.BULKHEAD_DEPLOYMENT };
  const table = { client, table: env.BULKHEAD_TABLE, clock, logger };
  const {
    instances,
    sandboxes,
    egress: store,
  } = makeDynamoStores(table, {
    egressRetentionSeconds: env.BULKHEAD_EGRESS_DAYS * 86_400,
  });
  const recorder = hideInRecord(
    makeRecorder({ journal: makeLineJournal(write, metrics), store, clock, logger, shipEveryMs: 1_000 }),
    secretValues,
  );
  const proxy = makeEgressProxy({
    resolver: makeQueryResolver(),
    floor: makePublicOnlyPolicy({ hostAddresses: systemHostAddresses }),
    recorder,
    certificates: makeStoredCertificates(
      makeStoredAuthority({ ...account, table, keyId: env.BULKHEAD_DATA_KEY }),
      clock,
    ),
    secrets: rememberUsed(
      makeSecretSource(makeSecretResolver({ ...account, prefix: env.BULKHEAD_SECRET_PREFIX, clock, logger })),
      secretValues,
    ),
    signer: makeRequestSigner({ ...account, roleArn: env.BULKHEAD_ACCESS_ROLE_ARN, clock, logger }),
    clock,
    logger,
  });
  const egress = await proxy.listenTcp({
    host: "0.0.0.0",
    port: env.BULKHEAD_PORT,
    isInstanceHost: inAddressRange(env.BULKHEAD_SANDBOX_CIDR),
    identify: makeIdentify({ instances, sandboxes, clock }),
    credentials: true,
  });
  const health = createServer((req, res) => res.writeHead(req.url === "/health" ? 200 : 404).end());
  await listening(health, env.BULKHEAD_HEALTH_PORT);
  logger.info("listening", { port: egress.port });
  await runUntilStopped(logger, async () => {
    health.close();
    await egress.close(drainMs);
    await recorder.close();
  });
}

main().catch(failToStart);
