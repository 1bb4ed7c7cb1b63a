import { randomUUID } from "node:crypto";
import { CreateKeyCommand, type CreateKeyCommandInput, KMSClient } from "@aws-sdk/client-kms";
import { CreateSecretCommand, SecretsManagerClient, UpdateSecretCommand } from "@aws-sdk/client-secrets-manager";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeKmsTokenSigner, readPublicKey } from "#aws/kms-token-signer.ts";
import { makeKmsVault, makeKmsVaultOpener } from "#aws/kms-vault.ts";
import { makeJsonLogger } from "#telemetry/json-logger.ts";
import { noopLogger } from "#telemetry/logger.ts";
import { countCalls } from "#test/support/count-calls.ts";
import { testCredentials } from "#test/support/json-service.ts";
import { startMoto } from "#test/support/moto/moto.ts";
import { makeVirtualClock } from "#test/support/virtual-clock.ts";
import { secretReferencesContract } from "./secret-references.suite.ts";
import { tokenSignerContract } from "./token-signer.suite.ts";
import { vaultContract } from "./vault.suite.ts";

const region = "us-east-1";
const own = { sandboxId: "1800000000abcdefghij", projectId: "p1" };

interface Cloud {
  readonly kms: KMSClient;
  readonly secrets: SecretsManagerClient;
  readonly moto: { stop(): Promise<void> };
}
const opened: { cloud?: Cloud } = {};
function cloud(): Cloud {
  if (opened.cloud === undefined) throw new Error("moto is not running");
  return opened.cloud;
}
beforeAll(async () => {
  const moto = await startMoto();
  const options = { region, endpoint: moto.endpoint, credentials: testCredentials };
  opened.cloud = { moto, kms: new KMSClient(options), secrets: new SecretsManagerClient(options) };
}, 120_000);
afterAll(async () => {
  opened.cloud?.kms.destroy();
  opened.cloud?.secrets.destroy();
  await opened.cloud?.moto.stop();
});

async function makeKey(input: CreateKeyCommandInput = {}): Promise<string> {
  const { KeyMetadata } = await cloud().kms.send(new CreateKeyCommand(input));
  return KeyMetadata?.KeyId ?? "";
}

async function makeVault(logger = noopLogger) {
  const { kms, secrets } = cloud();
  const clock = makeVirtualClock();
  const key = { region, client: kms, keyId: await makeKey() };
  const prefix = `bulkhead-${randomUUID()}`;
  const vault = makeKmsVault({ ...key, secretsClient: secrets, secretPrefix: `${prefix}/`, clock, logger });
  const put = (name: string, value: string | Uint8Array) =>
    secrets.send(
      new CreateSecretCommand({
        Name: name,
        ...(typeof value === "string" ? { SecretString: value } : { SecretBinary: value }),
      }),
    );
  return { vault, key, clock, prefix, put };
}

async function makeSigner() {
  const client = cloud().kms;
  const clock = makeVirtualClock();
  const keyId = await makeKey({ KeySpec: "ECC_NIST_P256", KeyUsage: "SIGN_VERIFY" });
  const publicKey = await readPublicKey({ region, client, keyId });
  return { signer: makeKmsTokenSigner({ region, client, keyId, clock }), publicKey, clock };
}

tokenSignerContract("KMS", makeSigner);
vaultContract("KMS", async () => (await makeVault()).vault);
secretReferencesContract("Secrets Manager", async () => {
  const { vault, prefix, put } = await makeVault();
  const prefixOf = (projectId: string) => `${prefix}/${projectId}/`;
  return { vault, prefixOf, put: (projectId, name, value) => put(`${prefixOf(projectId)}${name}`, value) };
});

describe("KMS token signer", () => {
  it("costs one call per token", async () => {
    const { signer } = await makeSigner();
    const sent = countCalls(cloud().kms);
    await signer.sign({ ...own, generation: 1, expiresAt: 1_900_000_000_000 });
    expect(sent).toEqual(["SignCommand"]);
  });

  it("does not take a key that is none for this", async () => {
    const { kms: client } = cloud();
    const keyId = await makeKey({ KeySpec: "ECC_NIST_P384", KeyUsage: "SIGN_VERIFY" });
    await expect(readPublicKey({ region, client, keyId })).rejects.toThrow();
  });
});

describe("KMS vault", () => {
  it("costs one call to seal and one to open, whatever the size", async () => {
    const { vault } = await makeVault();
    const sent = countCalls(cloud().kms);
    const values = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`V${index}`, "v".repeat(500)]));
    const sealed = await vault.seal(values, own);
    expect(sent.splice(0)).toEqual(["GenerateDataKeyCommand"]);
    await vault.open(sealed, own);
    expect(sent).toEqual(["DecryptCommand"]);
  });

  it("opens in a function that can do nothing else, and not under another key", async () => {
    const { vault, key } = await makeVault();
    const sealed = await vault.seal({ A: "1" }, own);
    expect(await makeKmsVaultOpener(key)(sealed, own)).toEqual({ A: "1" });
    const other = makeKmsVaultOpener({ ...key, keyId: await makeKey() });
    await expect(other(sealed, own)).rejects.toMatchObject({ code: "INTERNAL_ERROR" });
  });
});

describe("secrets from Secrets Manager", () => {
  it("are the whole text, or one key of a JSON object", async () => {
    const { vault, prefix, put } = await makeVault();
    await put(`${prefix}/p1/plain`, "plain text");
    await put(`${prefix}/p1/db`, JSON.stringify({ user: "u", password: 'p"a\\ss', port: 5432, tls: true, "a#b": "c" }));
    const references = {
      PLAIN: `${prefix}/p1/plain`,
      USER: `${prefix}/p1/db#user`,
      PASSWORD: `${prefix}/p1/db#password`,
      PORT: `${prefix}/p1/db#port`,
      TLS: `${prefix}/p1/db#tls`,
    };
    const sent = countCalls(cloud().secrets);
    expect(await vault.resolve("p1", references)).toEqual({
      ...{ PLAIN: "plain text", USER: "u", PASSWORD: 'p"a\\ss', PORT: "5432", TLS: "true" },
    });
    expect(sent).toEqual(["BatchGetSecretValueCommand"]);
  });

  it("are asked for again after a minute, not before", async () => {
    const { vault, prefix, put, clock } = await makeVault();
    const name = `${prefix}/p1/turning`;
    await put(name, "old");
    await vault.resolve("p1", { A: name });
    await cloud().secrets.send(new UpdateSecretCommand({ SecretId: name, SecretString: "new" }));
    const sent = countCalls(cloud().secrets);
    await clock.advance(59_000);
    expect(await vault.resolve("p1", { A: name })).toEqual({ A: "old" });
    expect(sent).toEqual([]);
    await clock.advance(1_001);
    expect(await vault.resolve("p1", { A: name })).toEqual({ A: "new" });
  });

  it("refuse alike whatever is wrong; the log tells what, and holds no value", async () => {
    const lines: string[] = [];
    const logger = makeJsonLogger({ level: "debug", write: (line) => lines.push(line), now: () => 0 });
    const { vault, prefix, put } = await makeVault(logger);
    const fine = `${prefix}/p1/fine`;
    await put(fine, "hunter2-fine");
    await put(`${prefix}/p1/json`, '{"in":{"deep":"hunter2-deep"},"nul":"hunter2\\u0000"}');
    await put(`${prefix}/p1/binary`, Buffer.from("hunter2-binary"));
    await put(`${prefix}/p2/theirs`, "hunter2-theirs");
    await put(`other/p1/x`, "hunter2-other").catch(() => undefined);
    const wrong: Record<string, string> = {
      "no such secret": `${prefix}/p1/missing`,
      "another project's": `${prefix}/p2/theirs`,
      "another prefix": "other/p1/x",
      "the prefix alone": `${prefix}/p1/`,
      "a binary one": `${prefix}/p1/binary`,
      "not JSON": `${fine}#key`,
      "no such key": `${prefix}/p1/json#out`,
      "a key of every object": `${prefix}/p1/json#constructor`,
      "no plain value": `${prefix}/p1/json#in`,
      "no value for an environment": `${prefix}/p1/json#nul`,
      "an ARN": `arn:aws:secretsmanager:us-east-1:123456789012:secret:${prefix}/p1/fine-AbCdEf`,
      "a way up": `${prefix}/p1/../p2/theirs`,
    };
    for (const [reason, reference] of Object.entries(wrong)) {
      lines.length = 0;
      await expect(vault.resolve("p1", { FINE: fine, WRONG: reference }), reason).rejects.toMatchObject({
        code: "INVALID_REQUEST",
        message: "Secrets that this project cannot use: WRONG.",
        details: { issues: [{ path: "secrets.WRONG", message: "cannot be used" }] },
      });
      expect(lines.join(""), reason).toContain("secret not given out");
      expect(lines.join(""), reason).not.toContain("hunter2");
    }
  });

  it("are none for a project whose name could reach into another's", async () => {
    const { vault, prefix, put } = await makeVault();
    await put(`${prefix}/p1/x/y`, "hunter2");
    for (const project of ["p1/x", "", "p1#", "p1\n"]) {
      const refused = vault.resolve(project, { A: `${prefix}/${project}/y` });
      await expect(refused).rejects.toMatchObject({ code: "INVALID_REQUEST" });
    }
    expect(await vault.resolve("p1", { A: `${prefix}/p1/x/y` })).toEqual({ A: "hunter2" });
  });
});
