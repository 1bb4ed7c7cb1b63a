import { afterAll, beforeAll } from "vitest";
import { auditLogContract, keyStoreContract, templateStoreContract } from "./catalog-stores.suite.ts";
import { egressStoreContract } from "./egress-store.suite.ts";
import { instanceStoreContract } from "./instance-store.suite.ts";
import { quotaContract } from "./quota.suite.ts";
import { sandboxStoreContract } from "./sandbox-store.suite.ts";
import { type MakeWorld, makeMemoryWorld, openMotoDatabase, openTestDatabase, type TestDatabase } from "./world.ts";

const suites = [
  sandboxStoreContract,
  quotaContract,
  instanceStoreContract,
  templateStoreContract,
  keyStoreContract,
  auditLogContract,
  egressStoreContract,
];

/** A database that is open while this file's tests run. */
function duringTests(open: () => Promise<TestDatabase>): MakeWorld {
  const opened: { database?: TestDatabase } = {};
  beforeAll(async () => {
    opened.database = await open();
  }, 240_000);
  afterAll(() => opened.database?.close());
  return () => {
    if (opened.database === undefined) throw new Error("the database is not open");
    return opened.database.makeWorld();
  };
}

const dynalite = duringTests(openTestDatabase);
const moto = duringTests(openMotoDatabase);

for (const suite of suites) {
  suite("in memory", makeMemoryWorld);
  suite("DynamoDB (dynalite)", dynalite);
  suite("DynamoDB (moto)", moto);
}
