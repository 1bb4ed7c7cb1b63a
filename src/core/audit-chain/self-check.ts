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
export async function checkChains(deps: SelfCheckDeps): Promise<number> {
  let count = 0;
  for (const projectId of await deps.store.projects()) {
    const findings = await checkChain(deps, projectId);
    count += findings.length;
    const first = findings[0];
    if (first !== undefined) deps.signals.raise({ type: "audit.broken", projectId, seq: first.seq, what: first.what });
  }
  return count;
}

/** What cannot be read does not hold. */
async function checkChain({ store, signer }: SelfCheckDeps, projectId: string): Promise<readonly Finding[]> {
  const checkpoints = (await store.checkpoints(projectId)).slice(-2);
  const fromSeq = checkpoints[0]?.seq ?? 1;
  const verifier = makeChainVerifier({ fromSeq, checkpoints, publicKeyPem: await signer.publicKeyPem(), projectId });
  try {
    for await (const records of store.segments(projectId, { order: "oldest", from: fromSeq })) {
      for (const record of records) if (record.seq >= fromSeq) verifier.next(record);
    }
    return verifier.end().findings;
  } catch (error) {
    const { seq } = verifier.end().head;
    const what = `what follows record ${seq} cannot be read: ${error instanceof Error ? error.name : "unknown"}`;
    return [{ kind: "changed", seq: seq + 1, what }];
  }
}
