import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { CreateKeyCommand, KMSClient } from "@aws-sdk/client-kms";
import { CreateSecretCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb";
import { computeClients } from "#aws/compute/clients.ts";
import type { LaunchSettings } from "#aws/compute/settings.ts";
import { ensureTable } from "#aws/stores.ts";
import { systemClock } from "#core/system-clock.ts";
import { makeAccount as makeNetwork } from "#test/support/moto/fargate-account.ts";

export const region = "eu-west-1";

/** What a deployment's stacks would have made, in an empty moto account. */
export interface Account {
  readonly table: string;
  readonly launch: LaunchSettings;
  readonly dataKey: string;
  readonly signingKey: string;
  readonly auditKey: string;
  readonly firstKeySecret: string;
  readonly secretPrefix: string;
}

function present<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("moto named nothing");
  return value;
}

export async function makeAccount(agentPort: number): Promise<Account> {
  const [kms, secrets] = [new KMSClient({ region }), new SecretsManagerClient({ region })];
  const table = "bulkhead-test";
  await ensureTable(DynamoDBDocumentClient.from(new DynamoDBClient({ region })), table, systemClock);
  const dataKey = await kms.send(new CreateKeyCommand({}));
  const signingKey = await kms.send(new CreateKeyCommand({ KeySpec: "ECC_NIST_P256", KeyUsage: "SIGN_VERIFY" }));
  const auditKey = await kms.send(new CreateKeyCommand({ KeySpec: "ECC_NIST_P256", KeyUsage: "SIGN_VERIFY" }));
  const secretPrefix = "bulkhead/test";
  const secret = await secrets.send(new CreateSecretCommand({ Name: `${secretPrefix}-first-key` }));
  await secrets.send(
    new CreateSecretCommand({ Name: `${secretPrefix}/default/database`, SecretString: '{"password":"canary-9f3c"}' }),
  );
  return {
    table,
    launch: { ...(await makeNetwork(computeClients(region), region)), agentPort },
    dataKey: present(dataKey.KeyMetadata?.Arn),
    signingKey: present(signingKey.KeyMetadata?.Arn),
    auditKey: present(auditKey.KeyMetadata?.Arn),
    firstKeySecret: present(secret.ARN),
    secretPrefix,
  };
}
