import { promisify } from "node:util";
import { gunzip, gzip } from "node:zlib";
import * as z from "zod";
import type { ChainedEvent, Checkpoint } from "#core/ports.ts";
import { auditItemSchema, schemaVersion } from "./schemas.ts";
import type { Key } from "./table.ts";

const zip = promisify(gzip);
const unzip = promisify(gunzip);

export const chainPartition = (projectId: string) => `AUDITCHAIN#${projectId}`;
export const headsPartition = "AUDITHEADS";
export const checkpointPartition = (projectId: string) => `AUDITCHECK#${projectId}`;

/** Sorts like the number. */
export const sortableSeq = (seq: number) => String(seq).padStart(14, "0");

export const chainHeadSchema = z.object({ seq: z.number(), hash: z.string() });

/** Records that follow each other, gzipped: `prev` of the first, then hash and event of each. */
export const chainSegmentSchema = z.object({
  sk: z.string(),
  prev: z.string(),
  records: z.instanceof(Uint8Array),
});

const recordsSchema = z.array(z.object({ hash: z.string(), event: auditItemSchema }));

export const checkpointSchema = z.object({
  projectId: z.string(),
  seq: z.number(),
  hash: z.string(),
  at: z.number(),
  keyId: z.string(),
  signature: z.string(),
});

export async function segmentItem(
  projectId: string,
  records: readonly ChainedEvent[],
): Promise<Record<string, unknown>> {
  const [first] = records;
  const last = records.at(-1);
  return {
    pk: chainPartition(projectId),
    sk: sortableSeq(first?.seq ?? 0),
    prev: first?.prev,
    records: await zip(JSON.stringify(records.map(({ hash, event }) => ({ hash, event })))),
    firstAt: first?.event.at,
    lastAt: last?.event.at,
    lastSeq: last?.seq,
    schemaVersion,
  };
}

/** As they were chained: nothing is checked here, so that verification finds what was changed. */
export async function recordsOf({ sk, prev, records }: z.infer<typeof chainSegmentSchema>): Promise<ChainedEvent[]> {
  const kept = recordsSchema.parse(JSON.parse((await unzip(records)).toString("utf8")));
  let before = prev;
  return kept.map(({ hash, event }, index) => {
    const chained = { seq: Number(sk) + index, prev: before, hash, event };
    before = hash;
    return chained;
  });
}

export const headKey = (projectId: string): Key => ({ pk: headsPartition, sk: projectId });

export const checkpointKey = ({ projectId, seq }: Checkpoint): Key => ({
  pk: checkpointPartition(projectId),
  sk: sortableSeq(seq),
});
