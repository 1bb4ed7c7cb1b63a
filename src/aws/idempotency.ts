import { DeleteCommand, PutCommand } from "@aws-sdk/lib-dynamodb";
import type { IdempotencyClaim } from "#core/ports.ts";
import { conditional } from "./failures.ts";
import { idempotencyItemSchema, schemaVersion } from "./schemas.ts";
import { type Key, soloKey } from "./table.ts";
import { readItem, type TableDeps } from "./table-access.ts";

const keyOf = (projectId: string, key: string): Key => soloKey("IDEMPOTENCY", `${projectId}#${key}`);

/** One conditional write when the key is free; a claim that has expired is free although TTL has not removed it yet. */
export async function claimIdempotency(
  deps: TableDeps,
  claim: IdempotencyClaim,
): Promise<{ readonly existing: IdempotencyClaim | null }> {
  const key = keyOf(claim.projectId, claim.key);
  for (;;) {
    const written = await conditional(() =>
      deps.client.send(
        new PutCommand({
          TableName: deps.table,
          Item: { ...claim, ...key, schemaVersion },
          ConditionExpression: "attribute_not_exists(pk) OR expiresAtSeconds <= :now",
          ExpressionAttributeValues: { ":now": Math.floor(deps.clock.now() / 1000) },
        }),
      ),
    );
    if (written === "written") return { existing: null };
    const existing = await readItem(deps, key, idempotencyItemSchema);
    // Our own id: the SDK repeated a write whose answer was lost. None: released or expired between write and read.
    if (existing !== undefined) return { existing: existing.sandboxId === claim.sandboxId ? null : existing };
  }
}

/** A claim of another sandbox, made meanwhile, stays. */
export async function releaseIdempotency(
  deps: TableDeps,
  projectId: string,
  key: string,
  sandboxId: string,
): Promise<void> {
  await conditional(() =>
    deps.client.send(
      new DeleteCommand({
        TableName: deps.table,
        Key: keyOf(projectId, key),
        ConditionExpression: "sandboxId = :own",
        ExpressionAttributeValues: { ":own": sandboxId },
      }),
    ),
  );
}
