import { PutCommand } from "@aws-sdk/lib-dynamodb";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeSocketDocumentClient } from "#aws/clients.ts";
import { makeDynamoStores } from "#aws/stores.ts";
import { systemClock } from "#core/system-clock.ts";
import { type LogFields, noopLogger } from "#telemetry/logger.ts";
import { aSandbox } from "#test/support/fixtures.ts";
import { collect, openTestDatabase, type TestDatabase } from "./world.ts";

let database: TestDatabase;
beforeAll(async () => {
  database = await openTestDatabase();
});
afterAll(() => database.close());

describe("DynamoDB: what can be wrong with it", () => {
  it("reports an item of unknown shape, leaves it out of lists, and refuses to return it", async () => {
    const reported: LogFields[] = [];
    const logger = { ...noopLogger, error: (_: string, fields: LogFields = {}) => void reported.push(fields) };
    const { client, table, stores } = await database.makeWorld(logger);
    const bad = "1800000000bad0000000";
    await stores.sandboxes.insert(aSandbox());
    await stores.sandboxes.insert(aSandbox({ id: bad }));
    await client.send(
      new PutCommand({
        TableName: table,
        Item: { pk: `SANDBOX#${bad}`, sk: "SANDBOX", id: bad, gsi2pk: "SANDBOXES#0", gsi2sk: bad, status: "dreaming" },
      }),
    );
    expect(await collect(stores.sandboxes.listLive())).toEqual([aSandbox()]);
    expect(reported).toMatchObject([{ pk: `SANDBOX#${bad}` }]);
    await expect(stores.sandboxes.get(bad)).rejects.toMatchObject({ code: "INTERNAL_ERROR" });
  });

  it("answers with a retryable error when nothing listens", async () => {
    const client = makeSocketDocumentClient("/nonexistent/db.sock");
    const stores = makeDynamoStores({ client, table: "none", clock: systemClock, logger: noopLogger });
    const failure = { code: "SERVICE_UNAVAILABLE", retryable: true };
    await expect(stores.sandboxes.get("x")).rejects.toMatchObject(failure);
    await expect(stores.instances.claim("x", "y")).rejects.toMatchObject(failure);
    await expect(stores.sandboxes.insert(aSandbox())).rejects.toMatchObject(failure);
  });

  it("tells a request that the database refuses from one that it could not take", async () => {
    const { client } = await database.makeWorld();
    const stores = makeDynamoStores({ client, table: "no-such-table", clock: systemClock, logger: noopLogger });
    await expect(stores.sandboxes.get("x")).rejects.toMatchObject({ code: "INTERNAL_ERROR" });
  });
});
