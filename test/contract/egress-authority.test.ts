import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { CreateKeyCommand, KMSClient } from "@aws-sdk/client-kms";
import { DynamoDBDocumentClient, ScanCommand } from "@aws-sdk/lib-dynamodb";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeStoredAuthority, publishedCertificate } from "#aws/egress-authority.ts";
import { ensureTable } from "#aws/stores.ts";
import { systemClock as clock } from "#core/system-clock.ts";
import { makeAuthority } from "#egress/certificates/authority.ts";
import { noopLogger } from "#telemetry/logger.ts";
import { testCredentials } from "#test/support/json-service.ts";
import { startMoto } from "#test/support/moto/moto.ts";

const region = "us-east-1";
const opened: { stop?: () => Promise<void>; kms?: KMSClient; client?: DynamoDBDocumentClient; keyId?: string } = {};

beforeAll(async () => {
  const moto = await startMoto();
  const options = { region, endpoint: moto.endpoint, credentials: testCredentials };
  opened.stop = () => moto.stop();
  opened.kms = new KMSClient(options);
  opened.client = DynamoDBDocumentClient.from(new DynamoDBClient(options));
  opened.keyId = (await opened.kms.send(new CreateKeyCommand({}))).KeyMetadata?.KeyId ?? "";
}, 240_000);
afterAll(() => opened.stop?.());

async function world(name: string) {
  const { kms, client, keyId } = opened;
  if (kms === undefined || client === undefined || keyId === undefined) throw new Error("moto is not started");
  const table = { client, table: name, clock, logger: noopLogger };
  await ensureTable(client, name, clock);
  const store = (deployment: string) => makeStoredAuthority({ table, region, client: kms, keyId, deployment });
  return { table, store, client };
}

describe("the egress CA in the table", () => {
  it("is made once, and its key stands there under KMS only", async () => {
    const { table, store, client } = await world("one");
    const own = store("bh");
    expect(await own.read()).toBeUndefined();
    expect(await publishedCertificate(table)).toBeUndefined();
    const authority = await makeAuthority({ deployment: "bh", clock });
    expect(await own.create(authority)).toBe("written");
    expect(await own.create(await makeAuthority({ deployment: "bh", clock }))).toBe("lost");
    expect(await own.read()).toEqual(authority);
    expect(await publishedCertificate(table)).toBe(authority.certificatePem);
    const { Items } = await client.send(new ScanCommand({ TableName: "one" }));
    const [body = ""] = /[A-Za-z0-9+/]{40}/.exec(authority.keyPem) ?? [];
    expect(JSON.stringify(Items)).not.toContain(body);
    expect(Items).toHaveLength(1);
  });

  it("opens for its own deployment only", async () => {
    const { store } = await world("two");
    await store("bh").create(await makeAuthority({ deployment: "bh", clock }));
    await expect(store("other").read()).rejects.toMatchObject({ name: "BulkheadError" });
  });
});
