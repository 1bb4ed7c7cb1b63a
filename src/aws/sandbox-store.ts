import { DeleteCommand, UpdateCommand } from "@aws-sdk/lib-dynamodb";
import type { SandboxRecord } from "#core/model.ts";
import type { SandboxStore } from "#core/ports.ts";
import { call, conditional } from "./failures.ts";
import { makeQuota } from "./quota-store.ts";
import { listSandboxes } from "./sandbox-list.ts";
import { idempotencyItemSchema, sandboxItemSchema } from "./schemas.ts";
import { liveShards, shardOf, soloKey } from "./table.ts";
import { type IndexKeys, putNew, putNext, queryAll, readItem, type TableDeps } from "./table-access.ts";

/** Live sandboxes stand in both indexes, ended ones only in their project's list of ended ones. */
function indexKeys(record: SandboxRecord): IndexKeys {
  const sortKey = `${String(record.createdAt).padStart(14, "0")}#${record.id}`;
  if (record.endedAt !== null) return { gsi1pk: `ENDED#${record.projectId}`, gsi1sk: sortKey };
  return {
    gsi1pk: `LIVE#${record.projectId}`,
    gsi1sk: sortKey,
    gsi2pk: `SANDBOXES#${shardOf(record.id)}`,
    gsi2sk: record.id,
  };
}

export function makeSandboxStore(deps: TableDeps): SandboxStore {
  const { client, table, clock } = deps;
  const idempotencyKey = (projectId: string, key: string) => soloKey("IDEMPOTENCY", `${projectId}#${key}`);
  return {
    insert: (record) => putNew(deps, soloKey("SANDBOX", record.id), record, indexKeys(record)),
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
    async claimIdempotency(claim) {
      const key = idempotencyKey(claim.projectId, claim.key);
      if ((await putNew(deps, key, claim)) === "written") return { existing: null };
      const existing = await readItem(deps, key, idempotencyItemSchema);
      if (existing !== undefined) return { existing };
      // Expired but not yet removed by TTL: taken over, unless somebody else just did.
      const taken = await conditional(() =>
        client.send(
          new UpdateCommand({
            TableName: table,
            Key: key,
            UpdateExpression: "SET projectId = :p, #k = :k, bodyHash = :b, sandboxId = :s, expiresAtSeconds = :e",
            ConditionExpression: "attribute_not_exists(pk) OR expiresAtSeconds <= :now",
            ExpressionAttributeNames: { "#k": "key" },
            ExpressionAttributeValues: {
              ":p": claim.projectId,
              ":k": claim.key,
              ":b": claim.bodyHash,
              ":s": claim.sandboxId,
              ":e": claim.expiresAtSeconds,
              ":now": Math.floor(clock.now() / 1000),
            },
          }),
        ),
      );
      return { existing: taken === "written" ? null : ((await readItem(deps, key, idempotencyItemSchema)) ?? null) };
    },
    async releaseIdempotency(projectId, key) {
      await call(() => client.send(new DeleteCommand({ TableName: table, Key: idempotencyKey(projectId, key) })));
    },
  };
}
