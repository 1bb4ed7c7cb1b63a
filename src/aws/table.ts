/**
 * The shape of the one table, shared by the adapters, dynalite and the CDK construct.
 * `gsi1` lists things by their owner or state; `gsi2` is sparse and lists what lives, in shards, for the sweeper.
 */
export const tableSchema = {
  partitionKey: "pk",
  sortKey: "sk",
  ttlAttribute: "expiresAtSeconds",
  indexes: [
    { name: "gsi1", partitionKey: "gsi1pk", sortKey: "gsi1sk" },
    { name: "gsi2", partitionKey: "gsi2pk", sortKey: "gsi2sk" },
  ],
} as const;

/** Spreads what lives over partitions, so that the sweeper's index is no hot key. */
export const liveShards = 2;

export function shardOf(id: string): number {
  return (id.codePointAt(id.length - 1) ?? 0) % liveShards;
}

export interface Key {
  readonly pk: string;
  readonly sk: string;
}

/** Key of an item that stands alone in its partition. */
export function soloKey(kind: "SANDBOX" | "INSTANCE" | "KEY" | "QUOTA" | "IDEMPOTENCY", id: string): Key {
  return { pk: `${kind}#${id}`, sk: kind };
}
