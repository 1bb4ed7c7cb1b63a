import { Duration, Stack } from "aws-cdk-lib";
import { Port, SecurityGroup } from "aws-cdk-lib/aws-ec2";
import { Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { FileSystem, InlineCode, Function as LambdaFunction, Runtime, StartingPosition } from "aws-cdk-lib/aws-lambda";
import { DynamoEventSource } from "aws-cdk-lib/aws-lambda-event-sources";
import { LogGroup } from "aws-cdk-lib/aws-logs";
import { Bucket } from "aws-cdk-lib/aws-s3";
import { Topic } from "aws-cdk-lib/aws-sns";
import { describe, expect, it } from "vitest";
import { acknowledge } from "../../infra/acknowledge.ts";
import { type Foundation, foundation, testApp } from "./support/app.ts";
import { idleAcknowledgements, unacknowledgedFindings } from "./support/nag.ts";

/** What a stack on top of network and state does with them; none of it may make them depend on it. */
function use({ app, network, state }: Foundation): void {
  const stack = new Stack(app, "user");
  const balancer = new SecurityGroup(stack, "Balancer", { vpc: network.edgeVpc, allowAllOutbound: false });
  balancer.connections.allowTo(network.securityGroups.gateway, Port.tcp(8080));
  const role = new Role(stack, "Role", {
    assumedBy: new ServicePrincipal("lambda.amazonaws.com"),
    roleName: state.janitorRoleName,
  });
  state.table.grantReadWriteData(role);
  state.keys.data.grantEncryptDecrypt(role);
  state.keys.signing.grant(role, "kms:Sign");
  state.firstKeySecret.grantWrite(role);
  state.firstKeySecret.grantRead(role);
  state.imageRepository.grantPullPush(role);
  state.auditBucket.grantReadWrite(role);
  state.fileSystem.grant(role, "elasticfilesystem:ClientRootAccess");
  new LogGroup(stack, "Log", { encryptionKey: state.keys.data }).grantWrite(role);
  new Topic(stack, "Topic", { masterKey: state.keys.data });
  const janitor = new LambdaFunction(stack, "Janitor", {
    code: new InlineCode("0"),
    handler: "index.handler",
    runtime: Runtime.NODEJS_22_X,
    timeout: Duration.seconds(30),
    vpc: network.sandboxVpc,
    vpcSubnets: { subnets: [...network.sandboxSubnets] },
    securityGroups: [network.securityGroups.janitor],
    filesystem: FileSystem.fromEfsAccessPoint(state.janitorAccessPoint, "/mnt/files"),
  });
  janitor.addEventSource(new DynamoEventSource(state.table, { startingPosition: StartingPosition.LATEST }));
}

describe.each(["dev", "prod"])("network and state in profile %s", (profile) => {
  it("can be used by another stack without depending on it", () => {
    const made = foundation({ profile });
    use(made);
    expect(() => made.app.synth()).not.toThrow();
    expect(made.network.dependencies).toEqual([]);
    expect(made.state.dependencies).toEqual([made.network]);
  });

  it("have no cdk-nag finding without a written reason, and no reason without a finding", () => {
    const { app } = foundation({ profile });
    expect(unacknowledgedFindings(app)).toEqual([]);
    expect(idleAcknowledgements(app)).toEqual([]);
  });

  it("fit a pinned account and region without asking AWS for anything", () => {
    const env = { account: "123456789012", region: "eu-central-1" };
    const { app } = foundation({ profile, ...env }, env);
    expect(app.synth().manifest.missing).toBeUndefined();
  });
});

describe("the nag helper", () => {
  it("finds what breaks a rule, and an acknowledgement that nothing needs", () => {
    const stack = new Stack(testApp(), "stack");
    const bucket = new Bucket(stack, "Bucket");
    expect(unacknowledgedFindings(stack)).toContain("AwsSolutions-S1 stack/Bucket/Resource");
    acknowledge(bucket, { "AwsSolutions-S1": "tried out", "AwsSolutions-S99": "no such rule" });
    expect(unacknowledgedFindings(stack)).not.toContain("AwsSolutions-S1 stack/Bucket/Resource");
    expect(idleAcknowledgements(stack)).toEqual(["AwsSolutions-S99 stack/Bucket"]);
  });
});
