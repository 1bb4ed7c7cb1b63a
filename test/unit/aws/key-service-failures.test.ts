import { KMSClient } from "@aws-sdk/client-kms";
import { SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { afterEach, expect, it } from "vitest";
import { makeKmsTokenSigner } from "#aws/kms-token-signer.ts";
import { makeKmsVault } from "#aws/kms-vault.ts";
import { systemClock } from "#core/system-clock.ts";
import { noopLogger } from "#telemetry/logger.ts";
import { failureOf, type JsonService, type ServiceAnswer, startJsonService } from "#test/support/json-service.ts";

const own = { sandboxId: "1800000000abcdefghij", projectId: "p1" };
const claims = { sandboxId: own.sandboxId, generation: 1, expiresAt: 1_900_000_000_000 };
const started: JsonService[] = [];
afterEach(async () => {
  for (const service of started.splice(0)) await service.stop();
});

async function keysThat(answer: ServiceAnswer) {
  const service = await startJsonService(() => answer);
  started.push(service);
  const region = "us-east-1";
  const key = { region, keyId: "k", client: new KMSClient(service.options) };
  const secretsClient = new SecretsManagerClient(service.options);
  return {
    service,
    signer: makeKmsTokenSigner({ ...key, clock: systemClock }),
    vault: makeKmsVault({ ...key, secretsClient, secretPrefix: "b", clock: systemClock, logger: noopLogger }),
  };
}

const sealed = `bh1.${"A".repeat(64)}.${"A".repeat(16)}.${"A".repeat(64)}`;

it.each<[string, ServiceAnswer, string]>([
  ["throttles", failureOf("ThrottlingException"), "SERVICE_UNAVAILABLE"],
  ["is broken", failureOf("KMSInternalException", 500), "SERVICE_UNAVAILABLE"],
  ["is not reachable", null, "SERVICE_UNAVAILABLE"],
  ["refuses us", failureOf("AccessDeniedException"), "INTERNAL_ERROR"],
  ["has lost the key", failureOf("DisabledException"), "INTERNAL_ERROR"],
  ["answers without what was asked for", { body: {} }, "SERVICE_UNAVAILABLE"],
])("a key service that %s is a typed error of every call", async (_name, answer, code) => {
  const { signer, vault } = await keysThat(answer);
  await expect(signer.sign(claims)).rejects.toMatchObject({ code });
  await expect(vault.seal({ A: "1" }, own)).rejects.toMatchObject({ code });
  await expect(vault.open(sealed, own)).rejects.toMatchObject({ code });
});

it("a ciphertext of another context is no failure that a repeat could help", async () => {
  const { vault, service } = await keysThat(failureOf("InvalidCiphertextException"));
  await expect(vault.open(sealed, own)).rejects.toMatchObject({ code: "INTERNAL_ERROR" });
  expect(service.calls[0]?.body).toMatchObject({
    KeyId: "k",
    EncryptionContext: { sandboxId: own.sandboxId, projectId: "p1", purpose: "env" },
  });
});

it("a signature that is none of P-256 leaves no token", async () => {
  const { signer } = await keysThat({ body: { Signature: Buffer.from("nonsense").toString("base64") } });
  await expect(signer.sign(claims)).rejects.toMatchObject({ code: "SERVICE_UNAVAILABLE" });
});

it.each<[string, ServiceAnswer, string]>([
  ["throttles", failureOf("ThrottlingException"), "SERVICE_UNAVAILABLE"],
  ["cuts the connection", null, "SERVICE_UNAVAILABLE"],
  ["does not let us ask at all", failureOf("AccessDeniedException"), "INTERNAL_ERROR"],
  ["fails for one of them", { body: errors("InternalServiceError") }, "SERVICE_UNAVAILABLE"],
  ["gives one of them not to us", { body: errors("AccessDeniedException") }, "INVALID_REQUEST"],
  ["cannot decrypt one of them", { body: errors("DecryptionFailure") }, "INVALID_REQUEST"],
  ["says nothing of it", { body: {} }, "INVALID_REQUEST"],
])("a store of secrets that %s", async (_name, answer, code) => {
  const { vault } = await keysThat(answer);
  await expect(vault.resolve("p1", { A: "b/p1/a" })).rejects.toMatchObject({ code });
});

function errors(ErrorCode: string) {
  return { SecretValues: [], Errors: [{ SecretId: "b/p1/a", ErrorCode, Message: "made by a test" }] };
}

it("nothing is asked of the store for a request that fails anyway", async () => {
  const { vault, service } = await keysThat({ body: {} });
  await expect(vault.resolve("p1", { A: "b/p1/a", B: "b/p2/b" })).rejects.toMatchObject({ code: "INVALID_REQUEST" });
  expect(service.calls).toEqual([]);
});

it("more secrets than one call may name are asked for in several, each once", async () => {
  const { vault, service } = await keysThat({ body: {} });
  const names = Object.fromEntries(Array.from({ length: 45 }, (_, index) => [`V${index}`, `b/p1/${index % 41}#k`]));
  await expect(vault.resolve("p1", names)).rejects.toMatchObject({ code: "INVALID_REQUEST" });
  const asked = service.calls.map((call) => (call.body as { SecretIdList: string[] }).SecretIdList);
  expect(asked.map((list) => list.length)).toEqual([20, 20, 1]);
  expect(new Set(asked.flat()).size).toBe(41);
});
