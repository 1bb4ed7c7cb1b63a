import { BatchWriteCommand } from "@aws-sdk/lib-dynamodb";
import { BulkheadError } from "#contracts/errors.ts";
import type { AuditEvent } from "#core/model.ts";
import type { AuditLog } from "#core/ports.ts";
import { call } from "./failures.ts";
import { auditItemSchema, schemaVersion } from "./schemas.ts";
import { parseGood, queryPage, type TableDeps } from "./table-access.ts";

const batchSize = 25;
const attempts = 5;

const month = (at: number) => new Date(at).toISOString().slice(0, 7);
const partitionOf = (projectId: string, at: number) => `AUDIT#${projectId}#${month(at)}`;

interface Waiting {
  readonly event: AuditEvent;
  readonly stored: () => void;
  readonly failed: (error: unknown) => void;
}

/**
 * Events of callers that arrive while a write is under way go together in the next one: one request for up to 25.
 * A project's events stand in one partition per month.
 */
export function makeAuditLog(deps: TableDeps): AuditLog {
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
      const now = deps.clock.now();
      const after = cursor === null ? null : Buffer.from(cursor, "base64url").toString("utf8");
      const page = await queryPage(deps, {
        KeyConditionExpression: after === null ? "pk = :p" : "pk = :p AND sk < :after",
        ExpressionAttributeValues: {
          ":p": partitionOf(projectId, now),
          ...(after === null ? {} : { ":after": after }),
        },
        ScanIndexForward: false,
        Limit: limit,
      });
      const last = page.last?.["sk"];
      return {
        items: parseGood(deps, page.items, auditItemSchema),
        nextCursor: typeof last === "string" ? Buffer.from(last).toString("base64url") : null,
      };
    },
  };
}

async function writeBatch(deps: TableDeps, events: readonly AuditEvent[]): Promise<void> {
  let requests = events.map((event) => ({
    PutRequest: {
      Item: {
        ...event,
        pk: partitionOf(event.projectId, event.at),
        sk: `${String(event.at).padStart(14, "0")}#${event.id}`,
        schemaVersion,
      },
    },
  }));
  for (let attempt = 1; ; attempt += 1) {
    const items = requests;
    const answer = await call(() => deps.client.send(new BatchWriteCommand({ RequestItems: { [deps.table]: items } })));
    const left = answer.UnprocessedItems?.[deps.table] ?? [];
    if (left.length === 0) return;
    if (attempt === attempts)
      throw new BulkheadError("SERVICE_UNAVAILABLE", "The audit log is throttled. Repeat the request in a moment.");
    requests = requests.filter((request) =>
      left.some((one) => one.PutRequest?.Item?.["sk"] === request.PutRequest.Item.sk),
    );
    await deps.clock.sleep(50 * 2 ** attempt);
  }
}
