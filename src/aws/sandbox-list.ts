import type { SandboxRecord } from "#core/model.ts";
import type { Page, SandboxQuery } from "#core/ports.ts";
import { decodeCursor, encodeCursor, sortKeyOf } from "./cursor.ts";
import { sandboxItemSchema } from "./schemas.ts";
import { parseGood, type QueryPage, queryPage, type TableDeps } from "./table-access.ts";

const endedStatuses: readonly string[] = ["deleted", "failed"];

type List = "LIVE" | "ENDED";

/** The lists that can hold what is asked for. */
function listsFor(query: SandboxQuery): readonly List[] {
  if (query.statuses === null) return ["LIVE"];
  const live = query.statuses.some((status) => !endedStatuses.includes(status));
  const ended = query.statuses.some((status) => endedStatuses.includes(status));
  return [...(live ? (["LIVE"] as const) : []), ...(ended ? (["ENDED"] as const) : [])];
}

/** One page, newest first. Full unless the end is reached. A sandbox that ends keeps its place: both lists sort alike. */
export async function listSandboxes(
  deps: TableDeps,
  projectId: string,
  query: SandboxQuery,
): Promise<Page<SandboxRecord>> {
  const after = query.cursor === null ? null : decodeCursor(query.cursor);
  const found = await Promise.all(
    listsFor(query).map((list) => readMatching(deps, `${list}#${projectId}`, after, query)),
  );
  // By id: one that ends between the two reads would show up twice.
  const merged = [...new Map(found.flat().map((record) => [record.id, record])).values()].sort((a, b) =>
    orderOf(a) < orderOf(b) ? 1 : -1,
  );
  const items = merged.slice(0, query.limit);
  const last = items.at(-1);
  return {
    items,
    nextCursor: merged.length > items.length && last !== undefined ? encodeCursor(orderOf(last)) : null,
  };
}

/** Records read at a time where few of them may match. */
const filteredStep = 250;
const isFiltered = ({ statuses, region, environment }: SandboxQuery) =>
  statuses !== null || region !== null || environment != null;

const orderOf = (record: SandboxRecord) => sortKeyOf(record.createdAt, record.id);

function matches(record: SandboxRecord, query: SandboxQuery): boolean {
  return (
    (query.statuses === null || query.statuses.includes(record.status)) &&
    (query.region === null || record.region === query.region) &&
    (query.environment == null || record.environment === null || record.environment === query.environment)
  );
}

/** The first ones of a list that match: one more than the page holds, to know whether there is another page. */
async function readMatching(
  deps: TableDeps,
  partition: string,
  after: string | null,
  query: SandboxQuery,
): Promise<SandboxRecord[]> {
  const found: SandboxRecord[] = [];
  let start: QueryPage["last"] = null;
  do {
    const page: QueryPage = await queryPage(deps, {
      IndexName: "gsi1",
      KeyConditionExpression: after === null ? "gsi1pk = :p" : "gsi1pk = :p AND gsi1sk < :after",
      ExpressionAttributeValues: { ":p": partition, ...(after === null ? {} : { ":after": after }) },
      ScanIndexForward: false,
      Limit: Math.max(query.limit + 1, isFiltered(query) ? filteredStep : 25),
      ...(start === null ? {} : { ExclusiveStartKey: start }),
    });
    found.push(...parseGood(deps, page.items, sandboxItemSchema).filter((record) => matches(record, query)));
    start = page.last;
  } while (start !== null && found.length <= query.limit);
  return found;
}
