import { CreateTableCommand, DescribeTableCommand, ResourceNotFoundException } from "@aws-sdk/client-dynamodb";
import type { DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb";
import type {
  AuditLog,
  Clock,
  EgressStore,
  InstanceStore,
  KeyStore,
  SandboxStore,
  TemplateStore,
} from "#core/ports.ts";
import { makeAuditLog } from "./audit-log.ts";
import { makeEgressStore } from "./egress-store.ts";
import { makeInstanceStore } from "./instance-store.ts";
import { makeKeyStore } from "./key-store.ts";
import { makeSandboxStore } from "./sandbox-store.ts";
import { tableSchema } from "./table.ts";
import type { TableDeps } from "./table-access.ts";
import { makeTemplateStore } from "./template-store.ts";

export interface Stores {
  readonly sandboxes: SandboxStore;
  readonly instances: InstanceStore;
  readonly templates: TemplateStore;
  readonly keys: KeyStore;
  readonly audit: AuditLog;
  readonly egress: EgressStore;
}

export interface StoreOptions {
  /** How long the egress record is kept. @default 30 days */
  readonly egressRetentionSeconds?: number | undefined;
  /** Where events go. @default - each is an item of the table, which the chainer puts into the chain */
  readonly audit?: AuditLog | undefined;
  /** A table of its own for the egress record: on one machine the other one is read whole at each start. @default - the same table */
  readonly egressTable?: string | undefined;
}

export function makeDynamoStores(deps: TableDeps, options: StoreOptions = {}): Stores {
  const audit = options.audit ?? makeAuditLog(deps);
  return {
    sandboxes: makeSandboxStore(deps, audit),
    instances: makeInstanceStore(deps),
    templates: makeTemplateStore(deps),
    keys: makeKeyStore(deps),
    audit,
    egress: makeEgressStore({ ...deps, table: options.egressTable ?? deps.table }, options.egressRetentionSeconds),
  };
}

/** Makes the table where nobody deploys it: on one machine and in tests. Waits until it is usable. */
export async function ensureTable(client: DynamoDBDocumentClient, table: string, clock: Clock): Promise<void> {
  if (await isActive(client, table)) return;
  const keys = [
    tableSchema.partitionKey,
    tableSchema.sortKey,
    ...tableSchema.indexes.flatMap((index) => [index.partitionKey, index.sortKey]),
  ];
  await client.send(
    new CreateTableCommand({
      TableName: table,
      BillingMode: "PAY_PER_REQUEST",
      AttributeDefinitions: keys.map((name) => ({ AttributeName: name, AttributeType: "S" })),
      KeySchema: [
        { AttributeName: tableSchema.partitionKey, KeyType: "HASH" },
        { AttributeName: tableSchema.sortKey, KeyType: "RANGE" },
      ],
      GlobalSecondaryIndexes: tableSchema.indexes.map((index) => ({
        IndexName: index.name,
        KeySchema: [
          { AttributeName: index.partitionKey, KeyType: "HASH" },
          { AttributeName: index.sortKey, KeyType: "RANGE" },
        ],
        Projection: { ProjectionType: "ALL" },
      })),
    }),
  );
  const giveUpAt = clock.now() + 30_000;
  while (!(await isActive(client, table))) {
    if (clock.now() > giveUpAt) throw new Error(`table ${table} did not become active within 30 s`);
    await clock.sleep(20);
  }
}

async function isActive(client: DynamoDBDocumentClient, table: string): Promise<boolean> {
  try {
    return (await client.send(new DescribeTableCommand({ TableName: table }))).Table?.TableStatus === "ACTIVE";
  } catch (thrown) {
    if (thrown instanceof ResourceNotFoundException) return false;
    throw thrown;
  }
}
