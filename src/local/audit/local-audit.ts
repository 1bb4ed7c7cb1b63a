import { join } from "node:path";
import type { Signals } from "#core/alerts/signals.ts";
import { makeAuditChain } from "#core/audit-chain/audit-chain.ts";
import type { ChainStore } from "#core/audit-chain/chain-store.ts";
import { checkChains } from "#core/audit-chain/self-check.ts";
import type { AuditChain, AuditLog, Clock, Timer } from "#core/ports.ts";
import type { Logger } from "#telemetry/logger.ts";
import type { Home } from "../home.ts";
import { makeChainedLog } from "./chained-log.ts";
import { makeCheckpoints } from "./checkpoints.ts";
import { openAuditJournal } from "./journal.ts";
import { makeLocalAuditSigner } from "./signer.ts";

const checkEveryMs = 3_600_000;

export interface LocalAudit {
  readonly log: AuditLog;
  readonly chain: AuditChain;
  /** Verifies the ends of the chains now and each hour, and raises what does not hold. */
  watch(signals: Signals): void;
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
  const signer = makeLocalAuditSigner(home.auditKeyFile);
  const chain = makeAuditChain({ store, signer, clock, settle });
  let timer: Timer | null = null;
  const watch = (signals: Signals) => {
    checkChains({ store, signer, signals })
      .catch((error: unknown) => logger.error("audit record not verified", { error }))
      .finally(() => {
        timer = clock.after(checkEveryMs, () => watch(signals));
      });
  };
  const recovered = await log.recover(left);
  if (recovered > 0) logger.info("audit events of an earlier run chained", { recovered });
  return {
    log,
    chain,
    watch,
    async close() {
      timer?.cancel();
      await log.settle();
      await checkpoints.close();
      await log.close();
    },
  };
}
