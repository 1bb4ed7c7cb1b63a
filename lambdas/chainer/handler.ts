import { makeChainStore } from "#aws/audit-chain-store.ts";
import { chainInbox } from "#aws/audit-inbox.ts";
import { makeDocumentClient } from "#aws/clients.ts";
import { makeKmsAuditSigner } from "#aws/kms-audit-signer.ts";
import { readEnvironment } from "#contracts/environment.ts";
import { platformProject } from "#core/audit.ts";
import { makeAuditChain } from "#core/audit-chain/audit-chain.ts";
import { chainerEnvSchema } from "../environment.ts";
import { makeCommon } from "../parts/common.ts";
import { guarded } from "../parts/guarded.ts";

/** Of a minute; the next run goes on. */
const budgetMs = 50_000;

const env = readEnvironment(chainerEnvSchema, process.env);
const { clock, logger } = makeCommon("chainer", env);
const table = {
  client: makeDocumentClient(env.AWS_REGION),
  table: env.BULKHEAD_TABLE,
  transactions: true,
  clock,
  logger,
};
const store = makeChainStore(table);
const signer = makeKmsAuditSigner({ region: env.AWS_REGION, keyId: env.BULKHEAD_AUDIT_KEY });
const chain = makeAuditChain({ store, signer, clock });

/** Each minute: gives the events that wait their places in their project's chain, and signs where it stands then. */
export const handler = guarded(logger, async (): Promise<{ readonly chained: number }> => {
  const until = clock.now() + budgetMs;
  let chained = 0;
  const { defaultProject, iamProjects = [] } = env.BULKHEAD_SETTINGS;
  const named = [defaultProject, platformProject, ...iamProjects.map(({ project }) => project)];
  const failures: unknown[] = [];
  for (const projectId of new Set([...named, ...(await store.projects())])) {
    try {
      const count = await chainInbox({ ...table, store }, projectId, until);
      if (count > 0) await chain.checkpoint(projectId);
      chained += count;
    } catch (error) {
      // It does not hold up the others, and the run fails in the end.
      logger.error("audit events not chained", { projectId, error });
      failures.push(error);
    }
  }
  if (failures.length > 0) throw new AggregateError(failures, `${failures.length} projects were not chained`);
  logger.info("audit events chained", { chained });
  return { chained };
});
