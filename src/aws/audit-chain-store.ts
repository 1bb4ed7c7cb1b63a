import { PutCommand, TransactWriteCommand, UpdateCommand } from "@aws-sdk/lib-dynamodb";
import type { ChainStore } from "#core/audit-chain/chain-store.ts";
import { type ChainHead, emptyHead } from "#core/audit-chain/link.ts";
import type { ChainedEvent, Written } from "#core/ports.ts";
import {
  chainHeadSchema,
  chainPartition,
  chainSegmentSchema,
  checkpointKey,
  checkpointPartition,
  checkpointSchema,
  headKey,
  headsPartition,
  recordsOf,
  segmentItem,
  sortableSeq,
} from "./audit-chain-item.ts";
import { call, conditional, isCancelledByCondition, storeFailure } from "./failures.ts";
import { schemaVersion } from "./schemas.ts";
import type { Key } from "./table.ts";
import { type QueryPage, queryAll, queryPage, readItem, type TableDeps } from "./table-access.ts";

/** Chains in the table. Where there are no transactions (dynalite) there is one writer, and a head that a crash left behind is found again. */
export function makeChainStore(deps: TableDeps): ChainStore {
  return {
    async head(projectId) {
      const known = deps.transactions === true ? await readItem(deps, headKey(projectId), chainHeadSchema) : undefined;
      return known ?? lastOf(deps, projectId);
    },
    extend: (projectId, records) => extendChain(deps, projectId, records),
    segments: (projectId, walk) => segments(deps, projectId, walk),
    async addCheckpoint(checkpoint) {
      const Item = { ...checkpoint, ...checkpointKey(checkpoint), schemaVersion };
      await call(() => deps.client.send(new PutCommand({ TableName: deps.table, Item })));
    },
    async checkpoints(projectId) {
      const found = [];
      for await (const one of queryAll(deps, null, checkpointPartition(projectId), checkpointSchema)) found.push(one);
      return found;
    },
    async projects() {
      const found: string[] = [];
      let start: QueryPage["last"] = null;
      do {
        const page: QueryPage = await queryPage(deps, {
          KeyConditionExpression: "pk = :p",
          ExpressionAttributeValues: { ":p": headsPartition },
          ...(start === null ? {} : { ExclusiveStartKey: start }),
        });
        found.push(...page.items.map((item) => String(item["sk"])));
        start = page.last;
      } while (start !== null);
      return found;
    },
  };
}

export interface ChainExtension {
  /** Of an inbox, to be taken away with the same write; `lost` when one of them is gone already. */
  readonly taking?: readonly Key[];
}

export async function extendChain(
  deps: TableDeps,
  projectId: string,
  records: readonly ChainedEvent[],
  { taking = [] }: ChainExtension = {},
): Promise<Written> {
  const [first] = records;
  const last = records.at(-1);
  if (first === undefined || last === undefined) return "written";
  const segment = {
    TableName: deps.table,
    Item: await segmentItem(projectId, records),
    ConditionExpression: "attribute_not_exists(pk)",
  };
  const head = {
    TableName: deps.table,
    Key: headKey(projectId),
    UpdateExpression: "SET seq = :seq, #h = :hash, schemaVersion = :version",
    ConditionExpression: first.seq === 1 ? "attribute_not_exists(pk)" : "seq = :before AND #h = :prev",
    ExpressionAttributeNames: { "#h": "hash" },
    ExpressionAttributeValues: {
      ":seq": last.seq,
      ":hash": last.hash,
      ":version": schemaVersion,
      ...(first.seq > 1 && { ":before": first.seq - 1, ":prev": first.prev }),
    },
  };
  if (deps.transactions !== true) {
    const written = await conditional(() => deps.client.send(new PutCommand(segment)));
    if (written === "lost") return "lost";
    // Its condition may fail where a crash left the head behind: the segment is what counts.
    await call(() =>
      deps.client.send(
        new UpdateCommand({
          ...head,
          ConditionExpression: undefined,
          ExpressionAttributeValues: omitConditions(head.ExpressionAttributeValues),
        }),
      ),
    );
    return "written";
  }
  const gone = taking.map((Key) => ({
    Delete: { TableName: deps.table, Key: { ...Key }, ConditionExpression: "attribute_exists(pk)" },
  }));
  try {
    await deps.client.send(new TransactWriteCommand({ TransactItems: [{ Put: segment }, { Update: head }, ...gone] }));
    return "written";
  } catch (thrown) {
    if (isCancelledByCondition(thrown)) return "lost";
    throw storeFailure(thrown);
  }
}

function omitConditions(values: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).filter(([name]) => name !== ":before" && name !== ":prev"));
}

/** The head as the last segment has it. */
async function lastOf(deps: TableDeps, projectId: string): Promise<ChainHead> {
  for await (const records of segments(deps, projectId, { order: "newest", from: null })) {
    const last = records.at(-1);
    if (last !== undefined) return { seq: last.seq, hash: last.hash };
  }
  return emptyHead;
}

async function* segments(
  deps: TableDeps,
  projectId: string,
  { order, from }: { readonly order: "newest" | "oldest"; readonly from: number | null },
): AsyncGenerator<readonly ChainedEvent[]> {
  const pk = chainPartition(projectId);
  const newest = order === "newest";
  // Oldest first begins inside of a segment: with the one that begins at or below it.
  const begin = newest || from === null ? from : await beginOf(deps, pk, from);
  let start: QueryPage["last"] = null;
  let limit = 4;
  do {
    const page: QueryPage = await queryPage(deps, {
      KeyConditionExpression: begin === null ? "pk = :p" : `pk = :p AND sk ${newest ? "<=" : ">="} :from`,
      ExpressionAttributeValues: { ":p": pk, ...(begin !== null && { ":from": sortableSeq(begin) }) },
      ScanIndexForward: !newest,
      ConsistentRead: true,
      Limit: limit,
      ...(start === null ? {} : { ExclusiveStartKey: start }),
    });
    for (const item of page.items) yield await recordsOf(chainSegmentSchema.parse(item));
    start = page.last;
    limit = Math.min(limit * 2, 64);
  } while (start !== null);
}

async function beginOf(deps: TableDeps, pk: string, seq: number): Promise<number> {
  const { items } = await queryPage(deps, {
    KeyConditionExpression: "pk = :p AND sk <= :from",
    ExpressionAttributeValues: { ":p": pk, ":from": sortableSeq(seq) },
    ScanIndexForward: false,
    ConsistentRead: true,
    Limit: 1,
  });
  return Number(items[0]?.["sk"] ?? seq);
}
