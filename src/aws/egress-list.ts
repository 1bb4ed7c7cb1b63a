import type { EgressRow } from "#core/model.ts";
import { type EgressFilter, recordedAt, rowMatches } from "#core/network/egress-row.ts";
import type { EgressStore } from "#core/ports.ts";
import { decodeEgressCursor, type EgressPosition, encodeEgressCursor, none } from "./egress-cursor.ts";
import { sortableTime } from "./egress-item.ts";
import { openRows } from "./egress-open.ts";
import { newestSegment, rangeOf, type Segment, segmentPages } from "./egress-segments.ts";
import type { TableDeps } from "./table-access.ts";

/** Looks at so many pages of segments for one page of rows; a list for which that is too few goes on with the next cursor. */
const maxPages = 10;

interface Placed {
  readonly at: string;
  readonly row: EgressRow;
}

export function makeEgressList(deps: TableDeps): EgressStore["list"] {
  return async (projectId, { limit, cursor, ...filter }) => {
    const position: EgressPosition =
      cursor === null ? { newest: await newestSegment(deps, projectId), below: null } : decodeEgressCursor(cursor);
    const page = makePage(limit, filter, position.below, await floating(deps, projectId, filter, position));
    const below = await walk(deps, projectId, filter, position, page);
    return {
      // Batches of one moment overlap in time; positions do not tell them apart.
      items: page.rows.toSorted((a, b) => recordedAt(b) - recordedAt(a)),
      nextCursor: below === null ? null : encodeEgressCursor({ newest: position.newest, below }),
    };
  };
}

/**
 * What is open and what ended since the list began, which all was open when it did or is newer than it; newest first. What is open is
 * read first: an ending row is written before its open one is removed.
 */
async function floating(
  deps: TableDeps,
  projectId: string,
  filter: EgressFilter,
  { newest }: EgressPosition,
): Promise<Placed[]> {
  const byId = new Map((await openRows(deps, projectId, filter)).map((row) => [row.id, row]));
  const later = { low: newest === none ? none : `${newest}~`, high: "~", filter: { ...filter, decision: null } };
  for await (const { segments } of segmentPages(deps, projectId, later)) {
    for (const { rows } of segments) for (const row of rows) byId.set(row.id, row);
  }
  return [...byId.values()]
    .map((row) => ({ at: `${sortableTime(row.startedAt)}#~${row.id}`, row }))
    .sort((a, b) => (a.at < b.at ? 1 : -1));
}

/** @returns the position to go on from; null at the end */
async function walk(
  deps: TableDeps,
  projectId: string,
  filter: EgressFilter,
  { newest, below }: EgressPosition,
  page: Page,
): Promise<string | null> {
  const top = `${newest}#~`;
  const range = rangeOf(filter, none, below !== null && below < top ? below : top);
  // Nothing in a segment is open.
  if (filter.state !== "open" && newest !== none) {
    let pages = 0;
    for await (const { segments, reached } of segmentPages(deps, projectId, range)) {
      for (const segment of segments) if (page.take(segment) === "full") return page.last();
      pages += 1;
      if (pages < maxPages || reached === null) continue;
      return page.takeAbove(`${reached}#`) === "full" ? page.last() : `${reached}#!`;
    }
  }
  return page.takeAbove("") === "full" ? page.last() : null;
}

interface Page {
  readonly rows: readonly EgressRow[];
  /** Takes a segment's rows, and before it whatever stands above it. `full`: there is at least one more than the page holds. */
  take(segment: Segment): "full" | "room";
  takeAbove(at: string): "full" | "room";
  last(): string;
}

function makePage(limit: number, filter: EgressFilter, below: string | null, floats: Placed[]): Page {
  const rows: EgressRow[] = [];
  let waiting = floats;
  let last = "";

  const add = ({ at, row }: Placed): "full" | "room" => {
    if ((below !== null && at >= below) || !rowMatches(row, filter)) return "room";
    if (rows.length === limit) return "full";
    rows.push(row);
    last = at;
    return "room";
  };
  const takeAbove = (at: string) => {
    while (waiting[0] !== undefined && waiting[0].at > at) {
      if (add(waiting[0]) === "full") return "full";
      waiting = waiting.slice(1);
    }
    return "room";
  };
  return {
    rows,
    take({ sk, rows: ended }) {
      if (takeAbove(`${sk}#~`) === "full") return "full";
      const ids = new Set(ended.map(({ id }) => id));
      waiting = waiting.filter(({ row }) => !ids.has(row.id));
      for (const [index, row] of ended.entries()) {
        const place = String(ended.length - index).padStart(5, "0");
        if (add({ at: `${sk}#${place}`, row }) === "full") return "full";
      }
      return "room";
    },
    takeAbove,
    last: () => last,
  };
}
