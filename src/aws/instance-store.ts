import { DeleteCommand, UpdateCommand } from "@aws-sdk/lib-dynamodb";
import type { InstanceRecord } from "#core/model.ts";
import type { InstanceStore } from "#core/ports.ts";
import { sortKeyOf } from "./cursor.ts";
import { call, isConditionFailure, storeFailure, wasRepeated } from "./failures.ts";
import { instanceItemSchema } from "./schemas.ts";
import { liveShards, shardOf, soloKey } from "./table.ts";
import {
  type IndexKeys,
  parseGood,
  putNew,
  putNext,
  queryAll,
  queryPage,
  readItem,
  type TableDeps,
} from "./table-access.ts";

/** Claimed instances with an address of their own are found by it, warm ones by their template. */
function indexKeys(record: InstanceRecord): IndexKeys {
  const all = { gsi2pk: `INSTANCES#${shardOf(record.id)}`, gsi2sk: record.id };
  const gsi1sk = sortKeyOf(record.createdAt, record.id);
  const place = record.endpoint?.kind === "tcp" ? addressKey(record.endpoint.host) : `INSTANCE#${record.id}`;
  // `claim` puts it where it is found by address without reading it first.
  if (record.state === "warm") return { ...all, gsi1pk: `WARM#${record.templateName}`, gsi1sk, claimedPlace: place };
  return record.endpoint?.kind === "tcp" ? { ...all, gsi1pk: place, gsi1sk } : all;
}

function addressKey(host: string): string {
  return `ADDRESS#${host}`;
}

export function makeInstanceStore(deps: TableDeps): InstanceStore {
  const { client, table } = deps;
  return {
    insert: (record) => putNew(deps, soloKey("INSTANCE", record.id), record, indexKeys(record)),
    replace: (record) => putNext(deps, soloKey("INSTANCE", record.id), record, indexKeys(record)),
    get: (id) => readItem(deps, soloKey("INSTANCE", id), instanceItemSchema),
    async listWarm(templateName, limit) {
      const page = await queryPage(deps, {
        IndexName: "gsi1",
        KeyConditionExpression: "gsi1pk = :p",
        ExpressionAttributeValues: { ":p": `WARM#${templateName}` },
        Limit: limit,
      });
      return page.items.map((item) => item["id"]).filter((id) => typeof id === "string");
    },
    async claim(id, sandboxId) {
      try {
        const { Attributes } = await client.send(
          new UpdateCommand({
            TableName: table,
            Key: soloKey("INSTANCE", id),
            UpdateExpression:
              "SET #state = :claimed, sandboxId = :sandbox, version = version + :one, gsi1pk = claimedPlace",
            ConditionExpression: "#state = :warm AND sandboxId = :nobody",
            ExpressionAttributeNames: { "#state": "state" },
            ExpressionAttributeValues: {
              ":claimed": "claimed",
              ":warm": "warm",
              ":sandbox": sandboxId,
              ":nobody": null,
              ":one": 1,
            },
            ReturnValues: "ALL_NEW",
          }),
        );
        return instanceItemSchema.parse(Attributes);
      } catch (thrown) {
        if (!isConditionFailure(thrown)) throw storeFailure(thrown);
        if (!wasRepeated(thrown)) return null;
        const record = await readItem(deps, soloKey("INSTANCE", id), instanceItemSchema);
        return record?.state === "claimed" && record.sandboxId === sandboxId ? record : null;
      }
    },
    async findByAddress(host) {
      const page = await queryPage(deps, {
        IndexName: "gsi1",
        KeyConditionExpression: "gsi1pk = :p",
        ExpressionAttributeValues: { ":p": addressKey(host) },
        ScanIndexForward: false,
        Limit: 1,
      });
      return parseGood(deps, page.items, instanceItemSchema)[0];
    },
    async *listAll() {
      for (let shard = 0; shard < liveShards; shard += 1) {
        yield* queryAll(deps, "gsi2", `INSTANCES#${shard}`, instanceItemSchema);
      }
    },
    async remove(id) {
      await call(() => client.send(new DeleteCommand({ TableName: table, Key: soloKey("INSTANCE", id) })));
    },
  };
}
