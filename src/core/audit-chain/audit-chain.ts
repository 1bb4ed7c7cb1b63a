import { BulkheadError } from "#contracts/errors.ts";
import type { AuditChain, AuditQuery, ChainedEvent, Clock, Page } from "../ports.ts";
import type { ChainStore } from "./chain-store.ts";
import { type AuditSigner, signCheckpoint, signDocument } from "./checkpoint.ts";

export interface AuditChainDeps {
  readonly store: ChainStore;
  readonly signer: AuditSigner;
  readonly clock: Pick<Clock, "now">;
  /** Waits until what was appended stands in the chain. @default - it does by itself, soon */
  readonly settle?: () => Promise<void>;
}

/** Records that are looked at for one page; a list for which that is too few goes on with the next cursor. */
const maxLooked = 100_000;

export function makeAuditChain({ store, signer, clock, settle = async () => {} }: AuditChainDeps): AuditChain {
  return {
    async list(projectId, query) {
      const from = query.cursor === null ? null : decodeSeq(query.cursor);
      await settle();
      return pageOf(store, projectId, query, from);
    },
    async *read(projectId, fromSeq = 1) {
      await settle();
      for await (const records of store.segments(projectId, { order: "oldest", from: fromSeq })) {
        yield* records.filter(({ seq }) => seq >= fromSeq);
      }
    },
    async checkpoint(projectId) {
      await settle();
      const { seq, hash } = await store.head(projectId);
      if (seq === 0) return undefined;
      const made = await store.checkpoints(projectId);
      const last = made.at(-1);
      if (last?.seq === seq) return last;
      const checkpoint = await signCheckpoint(signer, { projectId, seq, hash, at: clock.now() });
      await store.addCheckpoint(checkpoint);
      return checkpoint;
    },
    checkpoints: (projectId) => store.checkpoints(projectId),
    signed: (document) => signDocument(signer, document),
    publicKeyPem: () => signer.publicKeyPem(),
  };
}

async function pageOf(
  store: ChainStore,
  projectId: string,
  query: AuditQuery,
  from: number | null,
): Promise<Page<ChainedEvent>> {
  const newest = query.order === "newest";
  const items: ChainedEvent[] = [];
  let looked = 0;
  for await (const records of store.segments(projectId, { order: query.order, from })) {
    for (const record of newest ? records.toReversed() : records) {
      if (from !== null && (newest ? record.seq > from : record.seq < from)) continue;
      if (isPast(record, query)) return { items, nextCursor: null };
      if (items.length === query.limit || looked === maxLooked) return { items, nextCursor: encodeSeq(record.seq) };
      looked += 1;
      if (matches(record, query)) items.push(record);
    }
  }
  return { items, nextCursor: null };
}

/** Events of a chain are in order of time but for moments: what is a minute past the asked time ends the list. */
const disorderMs = 60_000;

function isPast({ event }: ChainedEvent, { order, since, until }: AuditQuery): boolean {
  if (order === "newest") return since !== null && event.at < since - disorderMs;
  return until !== null && event.at >= until + disorderMs;
}

function matches({ event }: ChainedEvent, query: AuditQuery): boolean {
  const { target, actor, action, outcome, since, until } = query;
  return (
    (target === null || event.target === target) &&
    (actor === null || event.actor === actor) &&
    (action === null || (action.endsWith(".") ? event.action.startsWith(action) : event.action === action)) &&
    (outcome === null || event.outcome === outcome) &&
    (since === null || event.at >= since) &&
    (until === null || event.at < until)
  );
}

const encodeSeq = (seq: number) => Buffer.from(`a1:${seq}`).toString("base64url");

function decodeSeq(cursor: string): number {
  const seq = /^a1:(\d{1,15})$/.exec(Buffer.from(cursor, "base64url").toString("utf8"))?.[1];
  if (seq !== undefined) return Number(seq);
  throw new BulkheadError("INVALID_REQUEST", "Unknown cursor. Start the list again without one.", {
    details: { parameter: "cursor" },
  });
}
