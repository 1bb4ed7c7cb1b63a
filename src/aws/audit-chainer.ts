import { fitting } from "#core/audit-chain/bounds.ts";
import type { ChainStore } from "#core/audit-chain/chain-store.ts";
import { chain } from "#core/audit-chain/link.ts";
import type { AuditEvent } from "#core/model.ts";
import type { ChainedEvent } from "#core/ports.ts";
import { extendChain } from "./audit-chain-store.ts";
import { auditKey } from "./audit-item.ts";
import { auditItemSchema } from "./schemas.ts";
import { readItem, type TableDeps } from "./table-access.ts";

export interface ChainerDeps extends TableDeps {
  readonly store: Pick<ChainStore, "head">;
  /** Told of each segment once it stands in the table, before its events are done with; it may be told again. */
  readonly onSegment?: (projectId: string, records: readonly ChainedEvent[]) => Promise<void>;
}

/** What one transaction takes beside a segment and its head. */
const maxTaken = 90;
const attempts = 8;

/**
 * Gives events of the inbox their places, and takes them out of it with the same write: each is chained once, however often it is
 * delivered. Somebody else who extends the same chain wins or loses as a whole; the loser looks again.
 * @returns how many were chained
 */
export async function chainBatch(deps: ChainerDeps, events: readonly AuditEvent[]): Promise<number> {
  let count = 0;
  for (const projectId of new Set(events.map((event) => event.projectId))) {
    const those = events.filter((event) => event.projectId === projectId);
    for (let begin = 0; begin < those.length; ) {
      const some = fitting(those.slice(begin), maxTaken);
      count += await chainSome(deps, projectId, some);
      begin += some.length;
    }
  }
  return count;
}

async function chainSome(deps: ChainerDeps, projectId: string, events: readonly AuditEvent[]): Promise<number> {
  let left = events;
  for (let attempt = 1; ; attempt += 1) {
    if (left.length === 0) return 0;
    const records = chain(await deps.store.head(projectId), left);
    if ((await extendChain(deps, projectId, records, { taking: left.map(auditKey) })) === "written") {
      await deps.onSegment?.(projectId, records);
      return left.length;
    }
    if (attempt === attempts) throw new Error(`the audit chain of ${projectId} could not be extended`);
    left = await stillThere(deps, left);
    await deps.clock.sleep(20 * attempt);
  }
}

async function stillThere(deps: ChainerDeps, events: readonly AuditEvent[]): Promise<readonly AuditEvent[]> {
  const found = await Promise.all(events.map((event) => readItem(deps, auditKey(event), auditItemSchema)));
  return events.filter((_, index) => found[index] !== undefined);
}
