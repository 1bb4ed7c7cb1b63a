import { sandboxIdSchema } from "#contracts/ids.ts";
import { canonicalJson } from "../audit-chain/canonical.ts";
import type { EgressRow } from "../model.ts";
import type { AuditChain, ChainedEvent, EgressStore, Page } from "../ports.ts";

export interface Collected<T> {
  readonly items: readonly T[];
  /** Whether there is more. */
  readonly truncated: boolean;
}

/** What a part of a bundle may hold. */
export interface Room {
  readonly rows: number;
  readonly bytes: number;
}

const pageSize = 1000;

/** The newest that fit, newest first. */
async function newest<T>(next: (cursor: string | null) => Promise<Page<T>>, room: Room): Promise<Collected<T>> {
  const items: T[] = [];
  let bytes = 0;
  for (let cursor: string | null = null; ; ) {
    const page: Page<T> = await next(cursor);
    for (const item of page.items) {
      bytes += canonicalJson(item).length;
      if (items.length === room.rows || bytes > room.bytes) return { items, truncated: true };
      items.push(item);
    }
    cursor = page.nextCursor;
    if (cursor === null) return { items, truncated: false };
  }
}

/** Oldest first. */
export async function auditOf(
  chain: Pick<AuditChain, "list">,
  projectId: string,
  sandboxId: string,
  room: Room,
): Promise<Collected<ChainedEvent>> {
  const query = { target: sandboxId, actor: null, action: null, outcome: null, until: null, since: madeAt(sandboxId) };
  const { items, truncated } = await newest(
    (cursor) => chain.list(projectId, { ...query, cursor, order: "newest", limit: pageSize }),
    room,
  );
  return { items: items.toReversed(), truncated };
}

/** Newest first. */
export function egressOf(
  egress: Pick<EgressStore, "list">,
  projectId: string,
  sandboxId: string,
  room: Room,
): Promise<Collected<EgressRow>> {
  const query = { sandboxId, host: null, decision: null, state: null, since: madeAt(sandboxId), until: null };
  return newest((cursor) => egress.list(projectId, { ...query, cursor, limit: pageSize }), room);
}

/** Ids begin with the second that they were made in: nothing of a sandbox is older, but for clocks that differ. */
function madeAt(sandboxId: string): number | null {
  const seconds = Number(sandboxId.slice(0, 10));
  return sandboxIdSchema.safeParse(sandboxId).success && Number.isSafeInteger(seconds) ? seconds * 1000 - 60_000 : null;
}
