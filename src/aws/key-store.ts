import { UpdateCommand } from "@aws-sdk/lib-dynamodb";
import type { ApiKeyRecord } from "#core/model.ts";
import type { KeyStore } from "#core/ports.ts";
import { sortKeyOf } from "./cursor.ts";
import { conditional } from "./failures.ts";
import { keyItemSchema } from "./schemas.ts";
import { soloKey } from "./table.ts";
import { putNew, queryAll, readItem, type TableDeps } from "./table-access.ts";

export function makeKeyStore(deps: TableDeps): KeyStore {
  const set = (id: string, attribute: "revokedAt" | "lastUsedAt", at: number, condition: string) =>
    conditional(() =>
      deps.client.send(
        new UpdateCommand({
          TableName: deps.table,
          Key: soloKey("KEY", id),
          UpdateExpression: "SET #a = :at",
          ConditionExpression: condition,
          ExpressionAttributeNames: { "#a": attribute },
          ExpressionAttributeValues: attribute === "revokedAt" ? { ":at": at, ":never": null } : { ":at": at },
        }),
      ),
    );
  return {
    insert: (record) =>
      putNew(deps, soloKey("KEY", record.id), record, {
        gsi1pk: `KEYS#${record.projectId}`,
        gsi1sk: sortKeyOf(record.createdAt, record.id),
      }),
    get: (id) => readItem(deps, soloKey("KEY", id), keyItemSchema),
    async list(projectId) {
      const found: ApiKeyRecord[] = [];
      for await (const record of queryAll(deps, "gsi1", `KEYS#${projectId}`, keyItemSchema)) found.push(record);
      return found;
    },
    revoke: (id, at) => set(id, "revokedAt", at, "attribute_exists(pk) AND #a = :never"),
    async markUsed(id, at) {
      await set(id, "lastUsedAt", at, "attribute_exists(pk)");
    },
  };
}
