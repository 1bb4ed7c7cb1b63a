import { z } from "zod";
import { BulkheadError } from "#contracts/errors.ts";
import type { SandboxRecord } from "#core/model.ts";
import type { Page, SandboxQuery } from "#core/ports.ts";
import { sandboxItemSchema } from "./schemas.ts";
import { parseGood, queryPage, type TableDeps } from "./table-access.ts";

const endedStatuses: readonly string[] = ["deleted", "failed"];

/** Where the next page goes on: which list, and after which sort key. Opaque to callers; a project's own lists only. */
const cursorSchema = z.object({ list: z.enum(["LIVE", "ENDED"]), after: z.string().nullable() });
type Cursor = z.infer<typeof cursorSchema>;

const encode = (cursor: Cursor) => Buffer.from(JSON.stringify(cursor)).toString("base64url");

function decode(text: string): Cursor {
  try {
    return cursorSchema.parse(JSON.parse(Buffer.from(text, "base64url").toString("utf8")));
  } catch (cause) {
    throw new BulkheadError("INVALID_REQUEST", "Unknown cursor. Start the list again without one.", {
      cause,
      details: { parameter: "cursor" },
    });
  }
}

/** The lists that can hold what is asked for, in the order they are read. */
function listsFor(query: SandboxQuery): readonly Cursor["list"][] {
  if (query.statuses === null) return ["LIVE"];
  const live = query.statuses.some((status) => !endedStatuses.includes(status));
  const ended = query.statuses.some((status) => endedStatuses.includes(status));
  return [...(live ? (["LIVE"] as const) : []), ...(ended ? (["ENDED"] as const) : [])];
}

/** One page, newest first within a list; live ones before ended ones. A page is full unless the lists are at their end. */
export async function listSandboxes(
  deps: TableDeps,
  projectId: string,
  query: SandboxQuery,
): Promise<Page<SandboxRecord>> {
  const lists = listsFor(query);
  const from = query.cursor === null ? null : decode(query.cursor);
  const found: SandboxRecord[] = [];
  let after = from?.after ?? null;
  for (const list of lists.slice(Math.max(0, from === null ? 0 : lists.indexOf(from.list)))) {
    for (;;) {
      const page = await readPage(deps, projectId, list, after, query.limit);
      for (const record of page.records) {
        if (!matches(record, query)) continue;
        found.push(record);
        if (found.length > query.limit) return full(found.slice(0, query.limit), list);
      }
      if (page.last === null) break;
      after = page.last;
    }
    after = null;
  }
  return { items: found, nextCursor: null };
}

/** More items exist: go on behind the last one shown. */
function full(items: readonly SandboxRecord[], list: Cursor["list"]): Page<SandboxRecord> {
  const last = items.at(-1);
  const lastList = last !== undefined && last.endedAt !== null ? "ENDED" : "LIVE";
  return {
    items,
    nextCursor: encode({
      list: last === undefined ? list : lastList,
      after: last === undefined ? null : sortKeyOf(last),
    }),
  };
}

function sortKeyOf(record: SandboxRecord): string {
  return `${String(record.createdAt).padStart(14, "0")}#${record.id}`;
}

function matches(record: SandboxRecord, query: SandboxQuery): boolean {
  return (
    (query.statuses === null || query.statuses.includes(record.status)) &&
    (query.region === null || record.region === query.region)
  );
}

async function readPage(deps: TableDeps, projectId: string, list: Cursor["list"], after: string | null, limit: number) {
  const page = await queryPage(deps, {
    IndexName: "gsi1",
    KeyConditionExpression: after === null ? "gsi1pk = :p" : "gsi1pk = :p AND gsi1sk < :after",
    ExpressionAttributeValues: { ":p": `${list}#${projectId}`, ...(after === null ? {} : { ":after": after }) },
    ScanIndexForward: false,
    Limit: Math.max(limit + 1, 25),
  });
  const last = page.last?.["gsi1sk"];
  return { records: parseGood(deps, page.items, sandboxItemSchema), last: typeof last === "string" ? last : null };
}
