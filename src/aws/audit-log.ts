import { BatchWriteCommand, type BatchWriteCommandInput } from "@aws-sdk/lib-dynamodb";
import { BulkheadError } from "#contracts/errors.ts";
import type { AuditEvent } from "#core/model.ts";
import type { AuditInbox } from "#core/ports.ts";
import { auditItem, monthOf, partitionOf } from "./audit-item.ts";
import { decodeCursor, encodeCursor, sortKeyOf } from "./cursor.ts";
import { call } from "./failures.ts";
import { auditItemSchema } from "./schemas.ts";
import { parseGood, type QueryPage, queryPage, type TableDeps } from "./table-access.ts";

/** What one BatchWriteItem takes. */
const batchSize = 25;
const attempts = 5;
/** How far back a list goes. */
const monthsListed = 13;

interface Waiting {
  readonly event: AuditEvent;
  readonly stored: () => void;
  readonly failed: (error: unknown) => void;
}

/**
 * Events of callers that arrive while a write is under way go together in the next one: one request for up to 25.
 * A project's events stand in one partition per month.
 */
export function makeAuditLog(deps: TableDeps): AuditInbox {
  const waiting: Waiting[] = [];
  let writing = false;

  async function drain(): Promise<void> {
    if (writing) return;
    writing = true;
    while (waiting.length > 0) {
      const batch = waiting.splice(0, batchSize);
      try {
        await writeBatch(
          deps,
          batch.map((entry) => entry.event),
        );
        for (const entry of batch) entry.stored();
      } catch (error) {
        for (const entry of batch) entry.failed(error);
      }
    }
    writing = false;
  }

  return {
    append: (event) =>
      new Promise((stored, failed) => {
        waiting.push({ event, stored, failed });
        // On the next turn: callers of the same turn share one write.
        setImmediate(() => void drain());
      }),
    async list(projectId, limit, cursor) {
      const after = cursor === null ? null : decodeCursor(cursor);
      const newest = after === null ? deps.clock.now() : Number(after.slice(0, after.indexOf("#")));
      const found: AuditEvent[] = [];
      for (const month of monthsBack(newest)) {
        found.push(...(await readMonth(deps, partitionOf(projectId, month), after, limit + 1 - found.length)));
        if (found.length > limit) break;
      }
      const items = found.slice(0, limit);
      const last = items.at(-1);
      const more = found.length > items.length && last !== undefined;
      return { items, nextCursor: more ? encodeCursor(sortKeyOf(last.at, last.id)) : null };
    },
  };
}

/** e.g. 2026-11, 2026-10, … */
function monthsBack(newest: number): readonly string[] {
  const date = new Date(newest);
  return Array.from({ length: monthsListed }, (_, back) =>
    monthOf(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() - back, 1)),
  );
}

async function readMonth(deps: TableDeps, pk: string, after: string | null, count: number): Promise<AuditEvent[]> {
  const found: AuditEvent[] = [];
  let start: QueryPage["last"] = null;
  do {
    const page: QueryPage = await queryPage(deps, {
      KeyConditionExpression: after === null ? "pk = :p" : "pk = :p AND sk < :after",
      ExpressionAttributeValues: { ":p": pk, ...(after === null ? {} : { ":after": after }) },
      ScanIndexForward: false,
      ConsistentRead: true,
      Limit: count,
      ...(start === null ? {} : { ExclusiveStartKey: start }),
    });
    found.push(...parseGood(deps, page.items, auditItemSchema));
    start = page.last;
  } while (start !== null && found.length < count);
  return found.slice(0, count);
}

async function writeBatch(deps: TableDeps, events: readonly AuditEvent[]): Promise<void> {
  let requests: NonNullable<BatchWriteCommandInput["RequestItems"]>[string] = events.map((event) => ({
    PutRequest: { Item: auditItem(event) },
  }));
  for (let attempt = 1; ; attempt += 1) {
    const RequestItems = { [deps.table]: requests };
    const answer = await call(() => deps.client.send(new BatchWriteCommand({ RequestItems })));
    requests = answer.UnprocessedItems?.[deps.table] ?? [];
    if (requests.length === 0) return;
    if (attempt === attempts)
      throw new BulkheadError("SERVICE_UNAVAILABLE", "The audit log is throttled. Repeat the request in a moment.");
    await deps.clock.sleep(50 * 2 ** attempt);
  }
}
