import { DescribeTableCommand, DescribeTimeToLiveCommand, DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { DescribeTaskDefinitionCommand, ECSClient } from "@aws-sdk/client-ecs";
import { DescribeKeyCommand, GetKeyRotationStatusCommand, KMSClient } from "@aws-sdk/client-kms";
import { GetFunctionConfigurationCommand, LambdaClient } from "@aws-sdk/client-lambda";
import { z } from "zod";
import { makeEc2Query } from "#aws/compute/ec2-query.ts";
import { accountId, region } from "./account.ts";

const listSchema = z.union([z.object({ item: z.unknown() }), z.literal(""), z.undefined()]);

/** A list as EC2 writes it: `<item>`s, of which one alone is no list; or nothing. */
const listOf = <T extends z.ZodType>(item: T) =>
  z.preprocess((list) => {
    const parsed = listSchema.parse(list);
    return typeof parsed === "object" ? [parsed.item].flat() : [];
  }, z.array(item));

const ruleSchema = z.object({
  ipProtocol: z.string(),
  fromPort: z.string().optional(),
  toPort: z.string().optional(),
  ipRanges: listOf(z.object({ cidrIp: z.string() })),
  groups: listOf(z.object({ groupId: z.string() })),
});
const groupsSchema = z.object({
  securityGroupInfo: listOf(
    z.object({ groupId: z.string(), ipPermissions: listOf(ruleSchema), ipPermissionsEgress: listOf(ruleSchema) }),
  ),
});

/** Asks the services themselves, through the clients of the platform, what a stack left there. */
export function readBack(endpoint: string) {
  const credentials = { accessKeyId: accountId, secretAccessKey: "secret" };
  const options = { endpoint, region, credentials, maxAttempts: 1 };
  const dynamo = new DynamoDBClient(options);
  const kms = new KMSClient(options);
  const ecs = new ECSClient(options);
  const lambda = new LambdaClient(options);
  const ec2 = makeEc2Query({ endpoint, region, credentials: () => Promise.resolve(credentials), maxAttempts: 1 });
  return {
    async table(TableName: string) {
      const { Table } = await dynamo.send(new DescribeTableCommand({ TableName }));
      const { TimeToLiveDescription } = await dynamo.send(new DescribeTimeToLiveCommand({ TableName }));
      return { ...Table, timeToLive: TimeToLiveDescription };
    },
    async key(KeyId: string) {
      const { KeyMetadata } = await kms.send(new DescribeKeyCommand({ KeyId }));
      const { KeyRotationEnabled } = await kms.send(new GetKeyRotationStatusCommand({ KeyId }));
      return { spec: KeyMetadata?.KeySpec, usage: KeyMetadata?.KeyUsage, rotated: KeyRotationEnabled ?? false };
    },
    async taskDefinition(taskDefinition: string) {
      return (await ecs.send(new DescribeTaskDefinitionCommand({ taskDefinition }))).taskDefinition;
    },
    async environmentOf(FunctionName: string) {
      const { Environment } = await lambda.send(new GetFunctionConfigurationCommand({ FunctionName }));
      return Environment?.Variables ?? {};
    },
    async securityGroups() {
      return groupsSchema.parse(await ec2.call("DescribeSecurityGroups", {})).securityGroupInfo;
    },
  };
}
