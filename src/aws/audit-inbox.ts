import type { AuditEvent } from "#core/model.ts";
import { type ChainerDeps, chainBatch } from "./audit-chainer.ts";
import { monthOf, partitionOf } from "./audit-item.ts";
import { auditItemSchema } from "./schemas.ts";
import { parseGood, queryPage } from "./table-access.ts";

/** Events younger than this may have an older one still on its way. */
const settleMs = 2000;
const pageSize = 90;

/**
 * Chains what waits in a project's inbox, oldest first, of this month and the one before.
 * @returns how many events were chained
 */
export async function chainInbox(deps: ChainerDeps, projectId: string, until: number): Promise<number> {
  let count = 0;
  const now = deps.clock.now();
  const date = new Date(now);
  for (const month of [monthOf(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() - 1, 1)), monthOf(now)]) {
    for (;;) {
      const events = await oldest(deps, projectId, month);
      const ready = events.filter((event) => event.at <= deps.clock.now() - settleMs);
      if (ready.length === 0) break;
      count += await chainBatch(deps, ready);
      if (deps.clock.now() >= until) return count;
    }
  }
  return count;
}

async function oldest(deps: ChainerDeps, projectId: string, month: string): Promise<readonly AuditEvent[]> {
  const { items } = await queryPage(deps, {
    KeyConditionExpression: "pk = :p",
    ExpressionAttributeValues: { ":p": partitionOf(projectId, month) },
    ConsistentRead: true,
    Limit: pageSize,
  });
  return parseGood(deps, items, auditItemSchema);
}
