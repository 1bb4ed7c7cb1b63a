import { UpdateCommand } from "@aws-sdk/lib-dynamodb";
import type { SandboxRecord } from "#core/model.ts";
import type { AuditLog, SandboxStore } from "#core/ports.ts";
import { sortKeyOf } from "./cursor.ts";
import { conditional } from "./failures.ts";
import { claimIdempotency, releaseIdempotency } from "./idempotency.ts";
import { makeQuota } from "./quota-store.ts";
import { insertSandbox } from "./sandbox-insert.ts";
import { listSandboxes } from "./sandbox-list.ts";
import { sandboxItemSchema } from "./schemas.ts";
import { liveShards, shardOf, soloKey } from "./table.ts";
import { type IndexKeys, putNext, queryAll, readItem, type TableDeps } from "./table-access.ts";

/** Live sandboxes stand in both indexes, ended ones only in their project's list of ended ones. */
function indexKeys(record: SandboxRecord): IndexKeys {
  const sortKey = sortKeyOf(record.createdAt, record.id);
  if (record.endedAt !== null) return { gsi1pk: `ENDED#${record.projectId}`, gsi1sk: sortKey };
  return {
    gsi1pk: `LIVE#${record.projectId}`,
    gsi1sk: sortKey,
    gsi2pk: `SANDBOXES#${shardOf(record.id)}`,
    gsi2sk: record.id,
  };
}

export function makeSandboxStore(deps: TableDeps, audit: Pick<AuditLog, "append">): SandboxStore {
  const { client, table } = deps;
  return {
    insert: (record, event) => insertSandbox(deps, record, indexKeys(record), event, audit),
    replace: (record) => putNext(deps, soloKey("SANDBOX", record.id), record, indexKeys(record)),
    get: (id) => readItem(deps, soloKey("SANDBOX", id), sandboxItemSchema),
    list: (projectId, query) => listSandboxes(deps, projectId, query),
    async *listLive() {
      for (let shard = 0; shard < liveShards; shard += 1) {
        yield* queryAll(deps, "gsi2", `SANDBOXES#${shard}`, sandboxItemSchema);
      }
    },
    async touch(id, at) {
      // Lost means: gone, ended, or touched later already. None of them is an error.
      await conditional(() =>
        client.send(
          new UpdateCommand({
            TableName: table,
            Key: soloKey("SANDBOX", id),
            UpdateExpression: "SET lastActivityAt = :at",
            ConditionExpression: "attribute_exists(pk) AND lastActivityAt < :at AND endedAt = :never",
            ExpressionAttributeValues: { ":at": at, ":never": null },
          }),
        ),
      );
    },
    ...makeQuota(deps),
    claimIdempotency: (claim) => claimIdempotency(deps, claim),
    releaseIdempotency: (projectId, key, sandboxId) => releaseIdempotency(deps, projectId, key, sandboxId),
  };
}
