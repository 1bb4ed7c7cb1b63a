import { generateKeyPairSync, sign } from "node:crypto";
import { makeAuditChain } from "#core/audit-chain/audit-chain.ts";
import type { ChainStore } from "#core/audit-chain/chain-store.ts";
import type { AuditSigner } from "#core/audit-chain/checkpoint.ts";
import { chain, emptyHead } from "#core/audit-chain/link.ts";
import type { AuditEvent } from "#core/model.ts";
import type { AuditChain, ChainedEvent, Checkpoint, Clock } from "#core/ports.ts";

/** A key of this test run's own. */
export function makeTestAuditSigner(): AuditSigner {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const pem = publicKey.export({ type: "spki", format: "pem" }).toString();
  return {
    sign: async (bytes) => sign("sha256", bytes, { key: privateKey, dsaEncoding: "ieee-p1363" }),
    publicKeyPem: async () => pem,
  };
}

export function makeMemoryChainStore(): ChainStore {
  const chains = new Map<string, ChainedEvent[][]>();
  const signed: Checkpoint[] = [];
  const last = (projectId: string) => chains.get(projectId)?.at(-1)?.at(-1);
  return {
    head: async (projectId) => last(projectId) ?? emptyHead,
    async extend(projectId, records) {
      if ((records[0]?.seq ?? 0) !== (last(projectId)?.seq ?? 0) + 1) return "lost";
      chains.set(projectId, [...(chains.get(projectId) ?? []), [...records]]);
      return "written";
    },
    async *segments(projectId, { order, from }) {
      const all = chains.get(projectId) ?? [];
      for (const records of order === "newest" ? all.toReversed() : all) {
        const [low = 0, high = 0] = [records[0]?.seq, records.at(-1)?.seq];
        if (from === null || (order === "newest" ? low <= from : high >= from)) yield records;
      }
    },
    addCheckpoint: async (checkpoint) => void signed.push(checkpoint),
    checkpoints: async (projectId) => signed.filter((one) => one.projectId === projectId),
    projects: async () => [...chains.keys()],
  };
}

/** The chain of events that a fake log has taken so far: made anew each time it is asked. */
export function makeMemoryChain(events: readonly AuditEvent[], clock: Pick<Clock, "now">): AuditChain {
  const store = makeMemoryChainStore();
  const taken = new Set<AuditEvent>();
  const settle = async () => {
    for (const event of events.filter((one) => !taken.has(one))) {
      taken.add(event);
      await store.extend(event.projectId, chain(await store.head(event.projectId), [event]));
    }
  };
  return makeAuditChain({ store, signer: makeTestAuditSigner(), clock, settle });
}
