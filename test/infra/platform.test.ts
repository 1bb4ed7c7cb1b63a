import { Match, Template } from "aws-cdk-lib/assertions";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { tableChange } from "#aws/table-stream.ts";
import { controlPlane } from "./support/control-plane.ts";
import { deployment } from "./support/deployment.ts";
import { matches } from "./support/event-filter.ts";
import { anInstanceImage, aSandboxImage } from "./support/images.ts";

const { stack, state } = controlPlane();
const template = Template.fromStack(stack);
const stateTemplate = Template.fromStack(state);

const idOf = (name: string) => {
  const [id = ""] = Object.keys(
    template.findResources("AWS::Lambda::Function", { Properties: { FunctionName: `bulkhead-${name}` } }),
  );
  return id;
};

describe("changes of tasks", () => {
  const rules = template.findResources("AWS::Events::Rule", { Properties: { EventPattern: Match.anyValue() } });

  it("of our cluster alone reach task-events, are tried again and end in a queue", () => {
    expect(Object.keys(rules)).toHaveLength(1);
    const [cluster = ""] = Object.keys(template.findResources("AWS::ECS::Cluster"));
    template.hasResourceProperties("AWS::Events::Rule", {
      EventPattern: {
        source: ["aws.ecs"],
        "detail-type": ["ECS Task State Change"],
        detail: { clusterArn: [{ "Fn::GetAtt": [cluster, "Arn"] }], lastStatus: ["RUNNING", "STOPPED"] },
      },
      Targets: [
        Match.objectLike({
          Arn: { "Fn::GetAtt": [idOf("task-events"), "Arn"] },
          DeadLetterConfig: { Arn: { "Fn::GetAtt": [Match.stringLikeRegexp("DeadLettersEvents"), "Arn"] } },
          RetryPolicy: { MaximumEventAgeInSeconds: 3600, MaximumRetryAttempts: 20 },
        }),
      ],
    });
  });
});

describe("the clock", () => {
  it.each([
    ["rate(1 minute)", ["sweeper", "pool", "chainer"]],
    ["rate(1 day)", ["bootstrap"]],
  ])("%s starts %j", (rate, names) => {
    template.hasResourceProperties("AWS::Events::Rule", {
      ScheduleExpression: rate,
      Targets: names.map((name) => Match.objectLike({ Arn: { "Fn::GetAtt": [idOf(name), "Arn"] } })),
    });
  });

  it("does not repeat a round that failed", () => {
    for (const name of ["sweeper", "pool", "bootstrap"]) {
      template.hasResourceProperties("AWS::Lambda::EventInvokeConfig", {
        FunctionName: { Ref: idOf(name) },
        MaximumRetryAttempts: 0,
      });
    }
  });
});

describe("the table's stream", () => {
  const mappingSchema = z.object({
    Properties: z.object({
      FilterCriteria: z.object({ Filters: z.array(z.object({ Pattern: z.string() })) }),
      FunctionName: z.object({ Ref: z.string() }),
    }),
  });
  const mappings = Object.values(template.findResources("AWS::Lambda::EventSourceMapping")).map(
    (one) => mappingSchema.parse(one).Properties,
  );
  const hears = (name: string, record: unknown) =>
    mappings
      .filter(({ FunctionName }) => FunctionName.Ref === idOf(name))
      .flatMap(({ FilterCriteria }) => FilterCriteria.Filters)
      .some(({ Pattern }) => matches(JSON.parse(Pattern), record));

  const keys = (image: { readonly pk: { readonly S: string } }) => ({ pk: image.pk });
  const byTtl = { type: "Service", principalId: "dynamodb.amazonaws.com" };
  const starting = anInstanceImage("starting");
  const records = {
    "an instance is asked for": { eventName: "INSERT", dynamodb: { Keys: keys(starting), NewImage: starting } },
    "a warm instance is claimed": {
      eventName: "MODIFY",
      dynamodb: { Keys: keys(starting), OldImage: anInstanceImage("warm"), NewImage: anInstanceImage("claimed") },
    },
    "an instance is placed": {
      eventName: "MODIFY",
      dynamodb: { Keys: keys(starting), OldImage: starting, NewImage: anInstanceImage("warm") },
    },
    "an instance expires": {
      eventName: "REMOVE",
      userIdentity: byTtl,
      dynamodb: { Keys: keys(starting), OldImage: starting },
    },
    "an instance is removed by us": { eventName: "REMOVE", dynamodb: { Keys: keys(starting), OldImage: starting } },
    "a sandbox expires": {
      eventName: "REMOVE",
      userIdentity: byTtl,
      dynamodb: { Keys: keys(aSandboxImage()), OldImage: aSandboxImage() },
    },
    "a sandbox is made": { eventName: "INSERT", dynamodb: { Keys: keys(aSandboxImage()), NewImage: aSandboxImage() } },
  } as const;

  it.each([
    ["an instance is asked for", ["pool"], "wanted"],
    ["a warm instance is claimed", ["pool"], "claimed"],
    ["an instance is placed", [], undefined],
    ["an instance expires", ["sweeper"], "instance-expired"],
    ["an instance is removed by us", [], undefined],
    ["a sandbox expires", ["sweeper"], "sandbox-expired"],
    ["a sandbox is made", [], undefined],
  ] as const)("%s: heard by %j, as %s", (name, listeners, type) => {
    const record = records[name];
    expect(["pool", "sweeper"].filter((one) => hears(one, record))).toEqual(listeners);
    // The function makes the same of the record as the filter that lets it through.
    expect(tableChange(record)?.type).toBe(type);
  });

  it("is read with bounds: a record that always fails is split off, given up and put aside", () => {
    expect(mappings).toHaveLength(2);
    for (const name of ["pool", "sweeper"]) {
      template.hasResourceProperties("AWS::Lambda::EventSourceMapping", {
        FunctionName: { Ref: idOf(name) },
        BisectBatchOnFunctionError: true,
        FunctionResponseTypes: ["ReportBatchItemFailures"],
        MaximumRetryAttempts: 5,
        MaximumRecordAgeInSeconds: 600,
        StartingPosition: "TRIM_HORIZON",
        DestinationConfig: {
          OnFailure: { Destination: { "Fn::GetAtt": [Match.stringLikeRegexp("DeadLettersStream"), "Arn"] } },
        },
      });
    }
  });
});

describe("dead letters", () => {
  it("are encrypted with the deployment's key, kept for two weeks and sent over TLS", () => {
    template.resourceCountIs("AWS::SQS::Queue", 2);
    template.allResourcesProperties("AWS::SQS::Queue", {
      MessageRetentionPeriod: 1_209_600,
      KmsMasterKeyId: Match.anyValue(),
    });
    template.resourcePropertiesCountIs(
      "AWS::SQS::QueuePolicy",
      {
        PolicyDocument: {
          Statement: Match.arrayWith([
            Match.objectLike({ Effect: "Deny", Condition: { Bool: { "aws:SecureTransport": "false" } } }),
          ]),
        },
      },
      2,
    );
  });

  it("can be put there by EventBridge: it may use the key, for this account", () => {
    stateTemplate.hasResourceProperties("AWS::KMS::Key", {
      KeyPolicy: {
        Statement: Match.arrayWith([
          Match.objectLike({
            Principal: { Service: "events.amazonaws.com" },
            Action: ["kms:Decrypt", "kms:GenerateDataKey"],
            Condition: { StringEquals: { "aws:SourceAccount": { Ref: "AWS::AccountId" } } },
          }),
        ]),
      },
    });
  });

  it("catch what functions without a caller fail on", () => {
    for (const name of ["task-events", "sweeper", "pool", "bootstrap"]) {
      template.hasResourceProperties("AWS::Lambda::Function", {
        FunctionName: `bulkhead-${name}`,
        DeadLetterConfig: { TargetArn: { "Fn::GetAtt": [Match.stringLikeRegexp("DeadLettersEvents"), "Arn"] } },
      });
    }
  });
});

describe("the deployment", () => {
  it("runs bootstrap, and again when it has changed", () => {
    template.hasResourceProperties("Custom::Trigger", {
      HandlerArn: { Ref: Match.stringLikeRegexp("BootstrapFunctionCurrentVersion") },
      ExecuteOnHandlerChange: true,
    });
  });

  it("has its instances in a cluster of their own, which has a name", () => {
    template.hasResourceProperties("AWS::ECS::Cluster", { ClusterName: "bulkhead-instances" });
  });
});

describe.each(["dev", "prod"])("a whole deployment, %s", (profile) => {
  const whole = deployment({ profile });
  const template = Template.fromStack(whole.stack);
  const { Resources, Outputs } = z
    .object({ Resources: z.record(z.string(), z.unknown()), Outputs: z.record(z.string(), z.unknown()) })
    .parse(template.toJSON());

  it("stays well below the 500 resources of a stack", () => {
    expect(Object.keys(Resources).length).toBeLessThan(450);
  });

  it("tells its addresses and where the first key is, not the key", () => {
    expect(Object.keys(Outputs)).toEqual(
      expect.arrayContaining(["ApiUrl", "IamApiUrl", "GatewayUrl", "FirstKeySecretArn"]),
    );
    expect(JSON.stringify(Outputs)).not.toMatch(/resolve:secretsmanager|SecretString/);
  });

  it("is watched: alarms go to one topic", () => {
    expect(Object.keys(template.findResources("AWS::CloudWatch::Alarm")).length).toBeGreaterThan(8);
    template.resourceCountIs("AWS::SNS::Topic", 1);
    template.resourceCountIs("AWS::CloudWatch::Dashboard", 1);
  });

  it("gives no task role to anything but gateway and egress proxy", () => {
    const withRole = Object.values(
      template.findResources("AWS::ECS::TaskDefinition", { Properties: { TaskRoleArn: Match.anyValue() } }),
    );
    expect(withRole).toHaveLength(2);
    const pool = template.findResources("AWS::Lambda::Function", { Properties: { FunctionName: "bulkhead-pool" } });
    expect(JSON.stringify(pool)).not.toMatch(/taskRole/i);
  });

  it("synthesizes without Docker, credentials or a known region", () => {
    expect(whole.app.synth().stacks.map(({ stackName }) => stackName)).toEqual([
      "bulkhead-network",
      "bulkhead-state",
      "bulkhead-platform",
    ]);
  });
});
