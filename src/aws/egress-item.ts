import { createHash } from "node:crypto";
import { promisify } from "node:util";
import { gunzip, gzip } from "node:zlib";
import * as z from "zod";
import type { EgressRow } from "#core/model.ts";
import { keptRowSchema, recordedAt } from "#core/network/egress-row.ts";
import { schemaVersion } from "./schemas.ts";

const zip = promisify(gzip);
const unzip = promisify(gunzip);

/** DynamoDB takes 400 KB; the rest is for the attributes beside the rows. */
const maxZipped = 350_000;
const maxRows = 1_000;
/** A segment holds rows of so much time at most: what is outside of the asked time is never far from it. */
export const maxSpanMs = 10_000;

export const segmentPartition = (projectId: string) => `EGRESS#${projectId}`;
export const openPartition = (projectId: string) => `EGRESSOPEN#${projectId}`;

/** Sorts like time. */
export const sortableTime = (at: number) => String(Math.max(0, Math.trunc(at))).padStart(13, "0");

/** One batch of one project's rows that will not change any more, newest first, gzipped JSON. */
export const segmentItemSchema = z.object({
  sk: z.string(),
  rows: z.instanceof(Uint8Array),
});

/** One connection that is open, as long as its proxy says so. */
export const openItemSchema = z.object({
  row: keptRowSchema,
  /** When its proxy last said so. */
  seenAt: z.number(),
});

export interface ItemLife {
  readonly now: number;
  readonly retentionSeconds: number;
}

/** Attributes beside the rows let the database leave out segments that cannot hold what is asked for. */
export async function segmentItems(
  projectId: string,
  rows: readonly EgressRow[],
  { retentionSeconds }: ItemLife,
): Promise<Record<string, unknown>[]> {
  const items: Record<string, unknown>[] = [];
  for (const part of bySpan(rows)) {
    for (const { rows: some, zipped } of await zippedParts(part)) {
      const newest = recordedAt(some[0] ?? { startedAt: 0, endedAt: null });
      items.push({
        pk: segmentPartition(projectId),
        sk: `${sortableTime(newest)}#${digestOf(some)}`,
        rows: zipped,
        sandboxes: [...new Set(some.flatMap(({ sandboxId }) => sandboxId ?? []))],
        denied: some.some(({ decision }) => decision === "deny"),
        expiresAtSeconds: Math.floor(newest / 1000) + retentionSeconds,
        schemaVersion,
      });
    }
  }
  return items;
}

export function openItem(
  projectId: string,
  row: EgressRow,
  { now, retentionSeconds }: ItemLife,
): Record<string, unknown> {
  return {
    ...openKey(projectId, row.id),
    row,
    sandboxId: row.sandboxId,
    seenAt: now,
    expiresAtSeconds: Math.floor(row.startedAt / 1000) + retentionSeconds,
    schemaVersion,
  };
}

export function openKey(projectId: string, id: string): { readonly pk: string; readonly sk: string } {
  return { pk: openPartition(projectId), sk: id };
}

const keptRows = z.array(keptRowSchema);

export async function rowsOf(zipped: Uint8Array): Promise<readonly EgressRow[]> {
  return keptRows.parse(JSON.parse((await unzip(zipped)).toString("utf8")));
}

/** Newest first, in parts that span no more than they may. */
function bySpan(rows: readonly EgressRow[]): EgressRow[][] {
  const sorted = rows.toSorted((a, b) => recordedAt(b) - recordedAt(a) || (a.id < b.id ? 1 : -1));
  const parts: EgressRow[][] = [];
  let part: EgressRow[] = [];
  for (const row of sorted) {
    const first = part[0];
    if (first !== undefined && (part.length >= maxRows || recordedAt(first) - recordedAt(row) > maxSpanMs)) part = [];
    if (part.length === 0) parts.push(part);
    part.push(row);
  }
  return parts;
}

async function zippedParts(rows: readonly EgressRow[]): Promise<{ rows: readonly EgressRow[]; zipped: Uint8Array }[]> {
  const zipped = await zip(JSON.stringify(rows));
  if (zipped.length <= maxZipped || rows.length === 1) return [{ rows, zipped }];
  const half = Math.ceil(rows.length / 2);
  return [...(await zippedParts(rows.slice(0, half))), ...(await zippedParts(rows.slice(half)))];
}

/** The same rows have the same key: a write that is repeated because its answer was lost changes nothing. */
function digestOf(rows: readonly EgressRow[]): string {
  const text = rows.map(({ id, state, endedAt }) => `${id} ${state} ${endedAt}`).join("\n");
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}
