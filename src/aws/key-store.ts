import { UpdateCommand } from "@aws-sdk/lib-dynamodb";
import type { ApiKeyRecord } from "#core/model.ts";
import type { KeyStore } from "#core/ports.ts";
import { sortKeyOf } from "./cursor.ts";
import { conditional } from "./failures.ts";
import { keyItemSchema } from "./schemas.ts";
import { soloKey } from "./table.ts";
import { putNew, queryAll, readItem, type TableDeps } from "./table-access.ts";

/** Decoys are in no list of keys, and go by themselves: there is one for each sandbox that ever was. */
function decoyItem(record: ApiKeyRecord): object {
  return record.expiresAt === null ? record : { ...record, expiresAtSeconds: Math.ceil(record.expiresAt / 1000) };
}

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
      record.decoyFor === null
        ? putNew(deps, soloKey("KEY", record.id), record, {
            gsi1pk: `KEYS#${record.projectId}`,
            gsi1sk: sortKeyOf(record.createdAt, record.id),
          })
        : putNew(deps, soloKey("KEY", record.id), decoyItem(record)),
    get: (id) => readItem(deps, soloKey("KEY", id), keyItemSchema),
    async list(projectId) {
      const found: ApiKeyRecord[] = [];
      for await (const record of queryAll(deps, "gsi1", `KEYS#${projectId}`, keyItemSchema)) found.push(record);
      return found;
    },
    revoke: (id, at) => set(id, "revokedAt", at, "attribute_exists(pk) AND #a = :never"),
    supersede: (id, replacedBy, expiresAt) =>
      conditional(() =>
        deps.client.send(
          new UpdateCommand({
            TableName: deps.table,
            Key: soloKey("KEY", id),
            UpdateExpression: "SET replacedBy = :by, expiresAt = :until, rotateAt = :none",
            ConditionExpression:
              "attribute_exists(pk) AND revokedAt = :none AND (attribute_not_exists(replacedBy) OR replacedBy = :none)",
            ExpressionAttributeValues: { ":by": replacedBy, ":until": expiresAt, ":none": null },
          }),
        ),
      ),
    async markUsed(id, at) {
      await set(id, "lastUsedAt", at, "attribute_exists(pk)");
    },
  };
}
