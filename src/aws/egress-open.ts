import type { EgressRow } from "#core/model.ts";
import { type EgressFilter, interrupted } from "#core/network/egress-row.ts";
import { openItemSchema, openPartition } from "./egress-item.ts";
import { parseGood, type QueryPage, queryPage, type TableDeps } from "./table-access.ts";

/** A proxy says each minute what is open; of one that said nothing for so long nothing is known. */
const silentMs = 120_000;

/** What is open, of a proxy that still says so; else it was interrupted. */
export async function openRows(deps: TableDeps, projectId: string, filter: EgressFilter): Promise<EgressRow[]> {
  const found: EgressRow[] = [];
  let start: QueryPage["last"] = null;
  do {
    const page: QueryPage = await queryPage(deps, {
      KeyConditionExpression: "pk = :p",
      ExpressionAttributeValues: {
        ":p": openPartition(projectId),
        ...(filter.sandboxId !== null && { ":s": filter.sandboxId }),
      },
      ...(filter.sandboxId !== null && { FilterExpression: "sandboxId = :s" }),
      ConsistentRead: true,
      ...(start === null ? {} : { ExclusiveStartKey: start }),
    });
    const silentSince = deps.clock.now() - silentMs;
    for (const { row, seenAt } of parseGood(deps, page.items, openItemSchema)) {
      found.push(seenAt < silentSince ? interrupted(row) : row);
    }
    start = page.last;
  } while (start !== null);
  return found;
}
