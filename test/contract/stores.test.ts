import { afterAll, beforeAll } from "vitest";
import { auditLogContract, keyStoreContract, templateStoreContract } from "./catalog-stores.suite.ts";
import { instanceStoreContract } from "./instance-store.suite.ts";
import { quotaContract } from "./quota.suite.ts";
import { sandboxStoreContract } from "./sandbox-store.suite.ts";
import { type MakeWorld, makeMemoryWorld, openTestDatabase, type TestDatabase } from "./world.ts";

const suites = [
  sandboxStoreContract,
  quotaContract,
  instanceStoreContract,
  templateStoreContract,
  keyStoreContract,
  auditLogContract,
];

const opened: { database?: TestDatabase } = {};
beforeAll(async () => {
  opened.database = await openTestDatabase();
});
afterAll(() => opened.database?.close());

const makeDynamoWorld: MakeWorld = () => {
  if (opened.database === undefined) throw new Error("the database is not open");
  return opened.database.makeWorld();
};

for (const suite of suites) {
  suite("in memory", makeMemoryWorld);
  suite("DynamoDB", makeDynamoWorld);
}
