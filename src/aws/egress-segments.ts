import type { QueryCommandInput } from "@aws-sdk/lib-dynamodb";
import type { EgressRow } from "#core/model.ts";
import type { EgressFilter } from "#core/network/egress-row.ts";
import { none } from "./egress-cursor.ts";
import { maxSpanMs, rowsOf, segmentItemSchema, segmentPartition, sortableTime } from "./egress-item.ts";
import { parseGood, type QueryPage, queryPage, type TableDeps } from "./table-access.ts";

export interface Segment {
  readonly sk: string;
  /** Newest first. */
  readonly rows: readonly EgressRow[];
}

/** Sort key of the newest segment, or `none`. */
export async function newestSegment(deps: TableDeps, projectId: string): Promise<string> {
  const { items } = await queryPage(deps, {
    KeyConditionExpression: "pk = :p",
    ExpressionAttributeValues: { ":p": segmentPartition(projectId) },
    ScanIndexForward: false,
    ConsistentRead: true,
    Limit: 1,
  });
  const sk = items[0]?.["sk"];
  return typeof sk === "string" ? sk : none;
}

export interface SegmentRange {
  /** Both included. */
  readonly low: string;
  readonly high: string;
  readonly filter: EgressFilter;
}

/** What the time that is asked for allows. */
export function rangeOf(filter: EgressFilter, low: string, high: string): SegmentRange {
  const since = filter.since === null ? low : sortableTime(filter.since);
  const until = filter.until === null ? high : `${sortableTime(filter.until + maxSpanMs)}#~`;
  return { low: since > low ? since : low, high: until < high ? until : high, filter };
}

export interface SegmentPage {
  readonly segments: readonly Segment[];
  /** Sort key of the last one that was looked at; null: it was the last of all. */
  readonly reached: string | null;
}

/** Newest first, in pages that grow: most lists end early. */
export async function* segmentPages(
  deps: TableDeps,
  projectId: string,
  range: SegmentRange,
): AsyncGenerator<SegmentPage> {
  if (range.low > range.high) return;
  const { names, ...filter } = filterOf(range.filter);
  let limit = 8;
  let start: QueryPage["last"] = null;
  do {
    const page: QueryPage = await queryPage(deps, {
      KeyConditionExpression: "pk = :p AND sk BETWEEN :low AND :high",
      ...filter,
      ExpressionAttributeValues: {
        ":p": segmentPartition(projectId),
        ":low": range.low,
        ":high": range.high,
        ...names,
      },
      ScanIndexForward: false,
      ConsistentRead: true,
      Limit: limit,
      ...(start === null ? {} : { ExclusiveStartKey: start }),
    });
    const items = parseGood(deps, page.items, segmentItemSchema);
    const segments = await Promise.all(
      items.map(async ({ sk, rows }) => ({ sk, rows: await readable(deps, sk, rows) })),
    );
    start = page.last;
    const reached: unknown = start?.["sk"];
    yield { segments, reached: typeof reached === "string" ? reached : null };
    limit = Math.min(limit * 2, 256);
  } while (start !== null);
}

/** A segment that cannot be read must not hide the others. */
async function readable({ logger }: TableDeps, sk: string, zipped: Uint8Array): Promise<readonly EgressRow[]> {
  try {
    return await rowsOf(zipped);
  } catch (error) {
    logger.error("segment of the egress record left out", { sk, error });
    return [];
  }
}

function filterOf(
  filter: EgressFilter,
): Pick<QueryCommandInput, "FilterExpression"> & { names: Record<string, unknown> } {
  const parts: string[] = [];
  const names: Record<string, unknown> = {};
  if (filter.sandboxId !== null) {
    parts.push("contains(sandboxes, :s)");
    names[":s"] = filter.sandboxId;
  }
  if (filter.decision === "deny") {
    parts.push("denied = :d");
    names[":d"] = true;
  }
  return { ...(parts.length > 0 && { FilterExpression: parts.join(" AND ") }), names };
}
