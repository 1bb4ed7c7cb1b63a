import { makeChainStore } from "#aws/audit-chain-store.ts";
import { makeDocumentClient } from "#aws/clients.ts";
import { makeKmsAuditSigner } from "#aws/kms-audit-signer.ts";
import { makeAuditChain } from "#core/audit-chain/audit-chain.ts";
import type { AuditChain } from "#core/ports.ts";
import type { Common, CommonEnv } from "./common.ts";

export interface ChainEnv extends CommonEnv {
  readonly BULKHEAD_TABLE: string;
  readonly BULKHEAD_AUDIT_KEY: string;
}

/** The chained audit record, to be read, and to be signed with the audit key. Another function extends it. */
export function makeChain({ clock, logger }: Common, env: ChainEnv): AuditChain {
  const client = makeDocumentClient(env.AWS_REGION);
  const store = makeChainStore({ client, table: env.BULKHEAD_TABLE, transactions: true, clock, logger });
  const signer = makeKmsAuditSigner({ region: env.AWS_REGION, keyId: env.BULKHEAD_AUDIT_KEY });
  return makeAuditChain({ store, signer, clock });
}
