import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import {
  CreateSecurityGroupCommand,
  CreateSubnetCommand,
  CreateVpcCommand,
  EC2Client,
  ModifyVpcAttributeCommand,
} from "@aws-sdk/client-ec2";
import { CreateClusterCommand, ECSClient } from "@aws-sdk/client-ecs";
import { CreateFileSystemCommand, EFSClient } from "@aws-sdk/client-efs";
import { CreateKeyCommand, KMSClient } from "@aws-sdk/client-kms";
import { CreateSecretCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb";
import type { LaunchSettings } from "#aws/compute/settings.ts";
import { ensureTable } from "#aws/stores.ts";
import { systemClock } from "#core/system-clock.ts";

export const region = "eu-west-1";
export const deployment = "test";

/** What a deployment's stacks would have made, in an empty moto account. */
export interface Account {
  readonly table: string;
  readonly launch: LaunchSettings;
  readonly dataKey: string;
  readonly signingKey: string;
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
  const secretPrefix = "bulkhead/test";
  const secret = await secrets.send(new CreateSecretCommand({ Name: `${secretPrefix}-first-key` }));
  await secrets.send(
    new CreateSecretCommand({ Name: `${secretPrefix}/default/database`, SecretString: '{"password":"canary-9f3c"}' }),
  );
  return {
    table,
    launch: await makeNetwork(agentPort),
    dataKey: present(dataKey.KeyMetadata?.Arn),
    signingKey: present(signingKey.KeyMetadata?.Arn),
    firstKeySecret: present(secret.ARN),
    secretPrefix,
  };
}

async function makeNetwork(agentPort: number): Promise<LaunchSettings> {
  const [ec2, ecs, efs] = [new EC2Client({ region }), new ECSClient({ region }), new EFSClient({ region })];
  const vpcId = present((await ec2.send(new CreateVpcCommand({ CidrBlock: "10.0.0.0/16" }))).Vpc?.VpcId);
  // Else moto fails to make the network interface of a task.
  await ec2.send(new ModifyVpcAttributeCommand({ VpcId: vpcId, EnableDnsHostnames: { Value: true } }));
  const subnet = await ec2.send(new CreateSubnetCommand({ VpcId: vpcId, CidrBlock: "10.0.0.0/24" }));
  const group = async (name: string) =>
    present(
      (await ec2.send(new CreateSecurityGroupCommand({ GroupName: name, Description: name, VpcId: vpcId }))).GroupId,
    );
  const fileSystem = await efs.send(new CreateFileSystemCommand({ CreationToken: "test", Encrypted: true }));
  await ecs.send(new CreateClusterCommand({ clusterName: "instances" }));
  return {
    deployment,
    cluster: "instances",
    vpcId,
    fileSystemId: present(fileSystem.FileSystemId),
    subnetIds: [present(subnet.Subnet?.SubnetId)],
    executionRoleArn: "arn:aws:iam::123456789012:role/execution",
    securityGroups: {
      gateway: await group("gateway"),
      bridge: await group("bridge"),
      proxy: await group("proxy"),
      fileSystem: await group("files"),
      endpoints: await group("endpoints"),
    },
    s3PrefixListId: "pl-6da54004",
    egressProxy: { host: "egress.test.internal", port: 3128 },
    agentPort,
    images: { base: "123456789012.dkr.ecr.eu-west-1.amazonaws.com/test@sha256:0", "code-interpreter": "x@sha256:1" },
    architecture: "ARM64",
  };
}
