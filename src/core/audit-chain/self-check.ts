import type { Signals } from "../alerts/signals.ts";
import type { ChainStore } from "./chain-store.ts";
import type { AuditSigner } from "./checkpoint.ts";
import { type Finding, makeChainVerifier } from "./verify.ts";

export interface SelfCheckDeps {
  readonly store: ChainStore;
  readonly signer: Pick<AuditSigner, "publicKeyPem">;
  readonly signals: Signals;
}

/** Verifies the end of each chain, from its last checkpoint but one on, and raises what does not hold. @returns how many findings */
export async function checkChains({ store, signer, signals }: SelfCheckDeps): Promise<number> {
  const publicKeyPem = await signer.publicKeyPem();
  let count = 0;
  for (const projectId of await store.projects()) {
    const checkpoints = (await store.checkpoints(projectId)).slice(-2);
    const fromSeq = checkpoints[0]?.seq ?? 1;
    const verifier = makeChainVerifier({ fromSeq, checkpoints, publicKeyPem, projectId });
    for await (const records of store.segments(projectId, { order: "oldest", from: fromSeq })) {
      for (const record of records) if (record.seq >= fromSeq) verifier.next(record);
    }
    const { findings } = verifier.end();
    count += findings.length;
    const first: Finding | undefined = findings[0];
    if (first !== undefined) signals.raise({ type: "audit.broken", projectId, seq: first.seq, what: first.what });
  }
  return count;
}
