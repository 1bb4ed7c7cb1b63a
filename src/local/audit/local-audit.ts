import { join } from "node:path";
import { makeAuditChain } from "#core/audit-chain/audit-chain.ts";
import type { ChainStore } from "#core/audit-chain/chain-store.ts";
import type { AuditChain, AuditLog, Clock } from "#core/ports.ts";
import type { Logger } from "#telemetry/logger.ts";
import type { Home } from "../home.ts";
import { makeChainedLog } from "./chained-log.ts";
import { makeCheckpoints } from "./checkpoints.ts";
import { openAuditJournal } from "./journal.ts";
import { makeLocalAuditSigner } from "./signer.ts";

export interface LocalAudit {
  readonly log: AuditLog;
  readonly chain: AuditChain;
  /** Chains what is left and signs where it stands. Nothing may be appended afterwards. */
  close(): Promise<void>;
}

export interface LocalAuditDeps {
  readonly home: Home;
  readonly store: ChainStore;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** The audit record of one machine: a journal that events are durable in, a chain in the table, and a key that signs where it stands. */
export async function openLocalAudit({ home, store, clock, logger }: LocalAuditDeps): Promise<LocalAudit> {
  const { journal, left } = openAuditJournal(join(home.logsDir, "audit.jsonl"));
  const checkpoints = makeCheckpoints({
    clock,
    logger,
    sign: async (projectId) => {
      await chain.checkpoint(projectId);
    },
  });
  const log = makeChainedLog({
    ...{ journal, store, clock, logger },
    onExtended: (projectId, { seq }) => checkpoints.extended(projectId, seq),
  });
  const settle = () => log.settle();
  const chain = makeAuditChain({ store, signer: makeLocalAuditSigner(home.auditKeyFile), clock, settle });
  const recovered = await log.recover(left);
  if (recovered > 0) logger.info("audit events of an earlier run chained", { recovered });
  return {
    log,
    chain,
    async close() {
      await log.settle();
      await checkpoints.close();
      await log.close();
    },
  };
}
