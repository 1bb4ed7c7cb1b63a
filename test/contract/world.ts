import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb";
import dynalite from "dynalite";
import { makeSocketDocumentClient } from "#aws/clients.ts";
import { ensureTable, makeDynamoStores } from "#aws/stores.ts";
import type { AuditLog, EgressStore, InstanceStore, KeyStore, SandboxStore, TemplateStore } from "#core/ports.ts";
import { systemClock } from "#core/system-clock.ts";
import { type Logger, noopLogger } from "#telemetry/logger.ts";
import { makeMemoryStores } from "#test/support/memory-stores.ts";
import { startMoto } from "#test/support/moto/moto.ts";
import { makeVirtualClock, type VirtualClock } from "#test/support/virtual-clock.ts";

/** Empty stores and the time they live in. */
export interface StoreWorld {
  readonly clock: VirtualClock;
  readonly stores: {
    readonly sandboxes: SandboxStore;
    readonly instances: InstanceStore;
    readonly templates: TemplateStore;
    readonly keys: KeyStore;
    readonly audit: AuditLog;
    readonly egress: EgressStore;
  };
}

export type MakeWorld = () => Promise<StoreWorld>;

export const makeMemoryWorld: MakeWorld = () => {
  const clock = makeVirtualClock();
  return Promise.resolve({ clock, stores: makeMemoryStores(clock) });
};

export interface DynamoWorld extends StoreWorld {
  readonly client: DynamoDBDocumentClient;
  readonly table: string;
}

export interface TestDatabase {
  /** A table of its own for each call. */
  makeWorld(logger?: Logger): Promise<DynamoWorld>;
  close(): Promise<void>;
}

/** dynalite as on one machine: files in a private directory, spoken to through a Unix socket. */
export async function openTestDatabase(): Promise<TestDatabase> {
  const directory = await mkdtemp(join(tmpdir(), "bulkhead-contract-"));
  const socketPath = join(directory, "db.sock");
  const server = dynalite({ path: join(directory, "files"), createTableMs: 0 });
  server.listen(socketPath);
  await once(server, "listening");
  const client = makeSocketDocumentClient(socketPath);
  let tables = 0;
  return {
    async makeWorld(logger = noopLogger) {
      tables += 1;
      const table = `contract-${tables}`;
      await ensureTable(client, table, systemClock);
      const clock = makeVirtualClock();
      return { client, table, clock, stores: makeDynamoStores({ client, table, clock, logger }) };
    },
    async close() {
      client.destroy();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** DynamoDB's own protocol as moto speaks it: with transactions, which dynalite has not. */
export async function openMotoDatabase(): Promise<TestDatabase> {
  const moto = await startMoto();
  const client = DynamoDBDocumentClient.from(
    new DynamoDBClient({
      region: "eu-west-1",
      endpoint: moto.endpoint,
      credentials: { accessKeyId: "test", secretAccessKey: "test" },
    }),
    { marshallOptions: { removeUndefinedValues: true } },
  );
  let tables = 0;
  return {
    async makeWorld(logger = noopLogger) {
      tables += 1;
      const table = `contract-${tables}`;
      await ensureTable(client, table, systemClock);
      const clock = makeVirtualClock();
      return { client, table, clock, stores: makeDynamoStores({ client, table, clock, logger, transactions: true }) };
    },
    async close() {
      client.destroy();
      await moto.stop();
    },
  };
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
