import { makeDocumentClient } from "#aws/clients.ts";
import { makeDynamoStores, type Stores } from "#aws/stores.ts";
import { openAdmission } from "#core/admission.ts";
import { makeMetricSignals } from "#core/alerts/metric-signals.ts";
import type { PlatformPorts } from "#core/deps.ts";
import { makeEvents } from "#core/events.ts";
import { cacheTemplates } from "#core/template-cache.ts";
import type { Common, CommonEnv } from "./common.ts";
import { refusedAgent, refusedAuditChain, refusedCompute, refusedSigner, refusedVault } from "./refused-ports.ts";
import { type Unawaited, watchUnawaited } from "./unawaited.ts";

export function makeStores(common: Common, env: CommonEnv & { readonly BULKHEAD_TABLE: string }): Unawaited {
  const { clock, logger } = common;
  const client = makeDocumentClient(env.AWS_REGION);
  return watchUnawaited(makeDynamoStores({ client, table: env.BULKHEAD_TABLE, clock, logger, transactions: true }));
}

/** Ports of a function: its stores and what it was given rights for. Everything else refuses. */
export function makePorts(common: Common, stores: Stores, given: Partial<PlatformPorts> = {}): PlatformPorts {
  return {
    ...stores,
    auditChain: refusedAuditChain,
    templates: cacheTemplates(stores.templates, common.clock),
    compute: refusedCompute,
    agent: refusedAgent,
    signer: refusedSigner,
    vault: refusedVault,
    admission: openAdmission,
    events: makeEvents(),
    clock: common.clock,
    logger: common.logger,
    secretValues: common.secretValues,
    signals: makeMetricSignals(common.metrics, common.logger),
    ...given,
  };
}
