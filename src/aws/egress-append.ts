import { BatchWriteCommand, type BatchWriteCommandInput } from "@aws-sdk/lib-dynamodb";
import { BulkheadError } from "#contracts/errors.ts";
import type { EgressRow } from "#core/model.ts";
import type { EgressStore } from "#core/ports.ts";
import { type ItemLife, openItem, openKey, segmentItems } from "./egress-item.ts";
import { call } from "./failures.ts";
import type { TableDeps } from "./table-access.ts";

/** What one BatchWriteItem takes. */
const batchSize = 25;
const attempts = 6;
const width = 4;

type Write = NonNullable<BatchWriteCommandInput["RequestItems"]>[string][number];

/**
 * Ended connections first, then what says of some of them that they are open: a connection is never in neither. Only this process's own
 * open items are known; those of an earlier one are removed without a look.
 */
export function makeEgressAppend(deps: TableDeps, retentionSeconds: number): EgressStore["append"] {
  const openHere = new Set<string>();
  const bornAt = deps.clock.now();

  const mayBeOpen = (row: EgressRow) =>
    row.kind === "connection" && (openHere.has(row.id) || row.state === "interrupted" || row.startedAt < bornAt);

  return async (rows) => {
    const life: ItemLife = { now: deps.clock.now(), retentionSeconds };
    for (const [projectId, latest] of byProject(rows)) {
      const ended = latest.filter(({ state }) => state !== "open");
      const open = latest.filter(({ state }) => state === "open");
      const removable = ended.filter(mayBeOpen);
      const segments = await segmentItems(projectId, ended, life);
      await writeAll(deps, segments.map(put));
      for (const { id } of open) openHere.add(id);
      await writeAll(deps, [
        ...open.map((row) => put(openItem(projectId, row, life))),
        ...removable.map((row): Write => ({ DeleteRequest: { Key: openKey(projectId, row.id) } })),
      ]);
      for (const { id } of removable) openHere.delete(id);
    }
  };
}

const put = (item: Record<string, unknown>): Write => ({ PutRequest: { Item: item } });

/** Of each connection the last word. */
function byProject(rows: readonly EgressRow[]): ReadonlyMap<string, readonly EgressRow[]> {
  const projects = new Map<string, Map<string, EgressRow>>();
  for (const row of rows) {
    if (row.projectId === null) continue;
    const known = projects.get(row.projectId) ?? new Map<string, EgressRow>();
    projects.set(row.projectId, known);
    if (row.state !== "open" || (known.get(row.id)?.state ?? "open") === "open") known.set(row.id, row);
  }
  return new Map([...projects].map(([projectId, latest]) => [projectId, [...latest.values()]]));
}

async function writeAll(deps: TableDeps, writes: readonly Write[]): Promise<void> {
  const batches = Array.from({ length: Math.ceil(writes.length / batchSize) }, (_, index) =>
    writes.slice(index * batchSize, (index + 1) * batchSize),
  );
  const next = batches.values();
  const worker = async () => {
    for (const batch of next) await writeBatch(deps, batch);
  };
  await Promise.all(Array.from({ length: width }, worker));
}

async function writeBatch(deps: TableDeps, writes: readonly Write[]): Promise<void> {
  let left = [...writes];
  for (let attempt = 1; ; attempt += 1) {
    const RequestItems = { [deps.table]: left };
    const answer = await call(() => deps.client.send(new BatchWriteCommand({ RequestItems })));
    left = answer.UnprocessedItems?.[deps.table] ?? [];
    if (left.length === 0) return;
    if (attempt === attempts) throw new BulkheadError("SERVICE_UNAVAILABLE", "The egress record is throttled.");
    await deps.clock.sleep(50 * 2 ** attempt);
  }
}
