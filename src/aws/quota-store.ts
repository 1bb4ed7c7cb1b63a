import { UpdateCommand } from "@aws-sdk/lib-dynamodb";
import type { SandboxStore } from "#core/ports.ts";
import { conditional } from "./failures.ts";
import { groupTakes } from "./quota-groups.ts";
import { quotaItemSchema } from "./schemas.ts";
import { soloKey } from "./table.ts";
import { readItem, type TableDeps } from "./table-access.ts";

/** One counter per project, changed by conditional updates only. */
export function makeQuota(
  deps: TableDeps,
): Pick<SandboxStore, "takeQuota" | "returnQuota" | "quotaInUse" | "repairQuota"> {
  const update = (projectId: string, expression: string, condition: string, values: Record<string, number>) =>
    conditional(() =>
      deps.client.send(
        new UpdateCommand({
          TableName: deps.table,
          Key: soloKey("QUOTA", projectId),
          UpdateExpression: expression,
          ConditionExpression: condition,
          ExpressionAttributeValues: values,
        }),
      ),
    );
  return {
    takeQuota: groupTakes((projectId, count, limit) => {
      // A new counter starts at zero: the first group must fit as well.
      if (count > limit) return Promise.resolve("lost");
      return update(projectId, "ADD inUse :count", "attribute_not_exists(inUse) OR inUse <= :room", {
        ":count": count,
        ":room": limit - count,
      });
    }),
    async returnQuota(projectId) {
      await update(projectId, "ADD inUse :minus", "inUse > :zero", { ":minus": -1, ":zero": 0 });
    },
    async quotaInUse(projectId) {
      return (await readItem(deps, soloKey("QUOTA", projectId), quotaItemSchema))?.inUse ?? 0;
    },
    repairQuota: (projectId, expected, value) =>
      update(
        projectId,
        "SET inUse = :value",
        expected === 0 ? "attribute_not_exists(inUse) OR inUse = :expected" : "inUse = :expected",
        { ":value": value, ":expected": expected },
      ),
  };
}
