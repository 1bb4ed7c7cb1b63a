import { Stack } from "aws-cdk-lib";
import type { ITable } from "aws-cdk-lib/aws-dynamodb";
import type { IKey } from "aws-cdk-lib/aws-kms";
import type { Right } from "./right.ts";

/** Starts of partition keys (src/aws/table.ts and the stores beside it). */
const starts = {
  sandboxes: "SANDBOX#*",
  instances: "INSTANCE#*",
  keys: "KEY#*",
  quotas: "QUOTA#*",
  idempotency: "IDEMPOTENCY#*",
  templates: "TEMPLATES",
  /** Inbox of the audit chain. */
  audit: "AUDIT#*",
  auditChain: "AUDITCHAIN#*",
  auditHeads: "AUDITHEADS",
  auditCheckpoints: "AUDITCHECK#*",
  egress: "EGRESS#*",
  openEgress: "EGRESSOPEN#*",
  admission: "ADMISSION#*",
  capacity: "CAPACITY",
  config: "CONFIG",
} as const;
export type Records = keyof typeof starts;

/** Partitions of the indexes, by what they list. */
const lists = {
  live: ["gsi1", "LIVE#*"],
  ended: ["gsi1", "ENDED#*"],
  keys: ["gsi1", "KEYS#*"],
  warm: ["gsi1", "WARM#*"],
  allSandboxes: ["gsi2", "SANDBOXES#*"],
  allInstances: ["gsi2", "INSTANCES#*"],
} as const satisfies Record<string, readonly ["gsi1" | "gsi2", string]>;
export type List = keyof typeof lists;

export interface TableUse {
  readonly read?: readonly Records[];
  /** Added and changed. */
  readonly write?: readonly Records[];
  /** Added; neither changed nor removed. */
  readonly append?: readonly Records[];
  /** Removed, in one piece. */
  readonly remove?: readonly Records[];
  /** Gets and puts many at once; DynamoDB does not tell puts from deletes there. */
  readonly batch?: readonly Records[];
  readonly list?: readonly List[];
}

/**
 * Rights to some kinds of records and not to others, by the start of their partition keys. A request always carries partition keys, so
 * that `ForAllValues` never passes for want of one; scans carry none and are never granted.
 */
export function tableRights(table: ITable, key: IKey, use: TableUse): Right[] {
  const of = (kinds: readonly Records[]) => kinds.map((kind) => starts[kind]);
  const on = (actions: readonly string[], kinds: readonly Records[] = []): Right[] =>
    kinds.length === 0 ? [] : [{ actions, resources: [table.tableArn], conditions: leadingKeys(of(kinds)) }];
  return [
    ...on(["dynamodb:GetItem", "dynamodb:Query"], use.read),
    ...on(["dynamodb:PutItem", "dynamodb:UpdateItem"], use.write),
    ...on(["dynamodb:PutItem"], use.append),
    ...on(["dynamodb:DeleteItem"], use.remove),
    ...on(["dynamodb:BatchWriteItem"], use.batch),
    ...(["gsi1", "gsi2"] as const).flatMap((index): Right[] => {
      const partitions = (use.list ?? []).map((list) => lists[list]).filter(([on]) => on === index);
      if (partitions.length === 0) return [];
      const conditions = leadingKeys(partitions.map(([, partition]) => partition));
      return [{ actions: ["dynamodb:Query"], resources: [`${table.tableArn}/index/${index}`], conditions }];
    }),
    keyThrough(key, "dynamodb", ["kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey", "kms:DescribeKey"]),
  ];
}

function leadingKeys(partitions: readonly string[]): NonNullable<Right["conditions"]> {
  return { "ForAllValues:StringLike": { "dynamodb:LeadingKeys": partitions } };
}

/** Use of a key by a service on a function's behalf; the function cannot use it by itself. */
export function keyThrough(key: IKey, service: string, actions: readonly string[]): Right {
  const { region } = Stack.of(key);
  return {
    actions,
    resources: [key.keyArn],
    conditions: { StringEquals: { "kms:ViaService": `${service}.${region}.amazonaws.com` } },
  };
}

/** What an event source mapping does with the function's role. */
export function streamRights(table: ITable): Right[] {
  return [
    {
      actions: ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"],
      resources: [streamArnOf(table)],
    },
    {
      actions: ["dynamodb:ListStreams"],
      resources: ["*"],
      because: "The action knows no resource; Lambda asks for it.",
    },
  ];
}

/** @throws Error for a table without a stream */
export function streamArnOf(table: ITable): string {
  if (table.tableStreamArn === undefined) throw new Error("The table needs a stream of new and old images.");
  return table.tableStreamArn;
}
