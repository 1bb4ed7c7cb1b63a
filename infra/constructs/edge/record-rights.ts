import type { Right } from "../functions/right.ts";
import { keyThrough } from "../functions/table-rights.ts";
import type { PlatformState } from "../parts.ts";

type Held = Pick<PlatformState, "table" | "keys">;

/** One record at a time, of kinds that the start of their partition key names. */
function get(state: Held, partitions: readonly string[]): Right {
  return { actions: ["dynamodb:GetItem"], resources: [state.table.tableArn], conditions: { ...leading(partitions) } };
}

/** Some attributes of such records and no others: neither a sandbox's state nor its token generation, nor a key's scopes. */
function note(state: Held, partition: string, attributes: readonly string[]): Right {
  return {
    actions: ["dynamodb:UpdateItem"],
    resources: [state.table.tableArn],
    conditions: {
      ...leading([partition]),
      "ForAllValues:StringEquals": { "dynamodb:Attributes": ["pk", "sk", ...attributes] },
    },
  };
}

const leading = (partitions: readonly string[]) =>
  ({ "ForAllValues:StringLike": { "dynamodb:LeadingKeys": partitions } }) as const;

const tableKey = (state: Held): Right =>
  keyThrough(state.keys.data, "dynamodb", ["kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey", "kms:DescribeKey"]);

/** Finds sandbox and instance, checks keys and tokens, notes when they were used (SandboxStore.touch, KeyStore.markUsed), and records what was asked. */
export function gatewayRights(state: Held): Right[] {
  return [
    get(state, ["SANDBOX#*", "INSTANCE#*", "KEY#*"]),
    note(state, "SANDBOX#*", ["lastActivityAt", "endedAt"]),
    note(state, "KEY#*", ["lastUsedAt"]),
    {
      actions: ["dynamodb:BatchWriteItem"],
      resources: [state.table.tableArn],
      conditions: { ...leading(["AUDIT#*"]) },
    },
    tableKey(state),
    { actions: ["kms:GetPublicKey"], resources: [state.keys.signing.keyArn] },
  ];
}

/**
 * Finds whose connection it is, by the address it comes from, and writes what went out. It cannot read the record; what it could take
 * out of it again stands in its log group as well.
 */
export function egressProxyRights(state: Held): Right[] {
  return [
    get(state, ["SANDBOX#*"]),
    {
      actions: ["dynamodb:Query"],
      resources: [`${state.table.tableArn}/index/gsi1`],
      conditions: { ...leading(["ADDRESS#*"]) },
    },
    {
      actions: ["dynamodb:BatchWriteItem"],
      resources: [state.table.tableArn],
      conditions: { ...leading(["EGRESS#*", "EGRESSOPEN#*"]) },
    },
    tableKey(state),
  ];
}
