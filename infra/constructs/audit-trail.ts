import { Stack } from "aws-cdk-lib";
import { CfnTrail, Trail } from "aws-cdk-lib/aws-cloudtrail";
import type { ITable } from "aws-cdk-lib/aws-dynamodb";
import { Effect, PolicyStatement, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import type { Key } from "aws-cdk-lib/aws-kms";
import type { LogGroup } from "aws-cdk-lib/aws-logs";
import type { Bucket } from "aws-cdk-lib/aws-s3";
import { Construct } from "constructs";
import { acknowledge, inlinePolicy } from "../acknowledge.ts";
import type { DeploymentConfig } from "../config.ts";
import { encryptedLogGroup } from "./log-group.ts";

export interface AuditTrailProps {
  readonly config: DeploymentConfig;
  readonly key: Key;
  /** Receives the records. */
  readonly bucket: Bucket;
  /** Every read and write of it is an event. */
  readonly table: ITable;
}

/**
 * The AWS side of what happened: every management call of the account in every region, every access to the table and to the records
 * themselves, every invocation of the deployment's functions, and what VPC endpoints refused. Files are validated by digest.
 * It sees AWS calls, minutes late; what a sandbox does inside is in the application's own audit log.
 */
export class AuditTrail extends Construct {
  readonly trail: Trail;
  readonly logGroup: LogGroup;

  constructor(scope: Construct, id: string, { config, key, bucket, table }: AuditTrailProps) {
    super(scope, id);
    const trailName = `${config.deployment}-audit`;
    this.logGroup = encryptedLogGroup(this, "Events", { config, key });
    const trailArn = Stack.of(this).formatArn({ service: "cloudtrail", resource: "trail", resourceName: trailName });
    letTrailUse(key, trailArn);
    // CDK's own grant names the service alone: anybody's trail could be pointed at this bucket.
    bucket.addToResourcePolicy(
      new PolicyStatement({
        sid: "OnlyThisTrail",
        effect: Effect.DENY,
        principals: [cloudTrail],
        actions: ["s3:PutObject"],
        resources: [bucket.arnForObjects("*")],
        conditions: { StringNotEquals: { "aws:SourceArn": trailArn } },
      }),
    );
    this.trail = new Trail(this, "Trail", {
      trailName,
      bucket,
      encryptionKey: key,
      isMultiRegionTrail: true,
      includeGlobalServiceEvents: true,
      enableFileValidation: true,
      sendToCloudWatchLogs: true,
      cloudWatchLogGroup: this.logGroup,
    });
    acknowledge(this.trail, inlinePolicy);
    const resource = this.trail.node.defaultChild;
    if (!(resource instanceof CfnTrail)) throw new Error("no AWS::CloudTrail::Trail behind the construct");
    resource.eventSelectors = undefined;
    resource.advancedEventSelectors = selectors(Stack.of(this), config, table, bucket);
  }
}

/** The trail has a name of its own, so that key and bucket can be bound to it before it is made. */
function letTrailUse(key: Key, trailArn: string): void {
  const { account, partition } = Stack.of(key);
  const fromTrail = { StringEquals: { "aws:SourceArn": trailArn } };
  const context = { "kms:EncryptionContext:aws:cloudtrail:arn": `arn:${partition}:cloudtrail:*:${account}:trail/*` };
  const allow = (sid: string, actions: string[], conditions: Record<string, Record<string, string>>) =>
    key.addToResourcePolicy(
      new PolicyStatement({ sid, principals: [cloudTrail], actions, resources: ["*"], conditions }),
    );
  allow("TrailEncrypts", ["kms:GenerateDataKey", "kms:Decrypt"], { ...fromTrail, StringLike: context });
  allow("TrailDescribes", ["kms:DescribeKey"], fromTrail);
}

const cloudTrail = new ServicePrincipal("cloudtrail.amazonaws.com");

type Selector = CfnTrail.AdvancedEventSelectorProperty;
type Field = CfnTrail.AdvancedFieldSelectorProperty;

function selectors(stack: Stack, config: DeploymentConfig, table: ITable, bucket: Bucket): Selector[] {
  const functions = `arn:${stack.partition}:lambda:${stack.region}:${stack.account}:function:${config.deployment}-`;
  return [
    { name: "Management calls", fieldSelectors: [equals("eventCategory", "Management")] },
    data("Reads and writes of the table", "AWS::DynamoDB::Table", equals("resources.ARN", table.tableArn)),
    data("Invocations of functions", "AWS::Lambda::Function", startsWith("resources.ARN", functions)),
    data(
      "Accesses to records",
      "AWS::S3::Object",
      startsWith("resources.ARN", `${bucket.bucketArn}/`),
      // CloudTrail's own deliveries are such writes, and would be delivered. Records cannot be overwritten; access logs name every writer.
      { field: "eventName", notEquals: ["PutObject"] },
    ),
    ...watchedSources.map((source) => ({
      name: `Refused by VPC endpoints: ${source}`,
      fieldSelectors: [
        equals("eventCategory", "NetworkActivity"),
        equals("eventSource", `${source}.amazonaws.com`),
        equals("errorCode", "VpceAccessDenied"),
      ],
    })),
  ];
}

/**
 * Services whose endpoint traffic CloudTrail records (awscloudtrail/latest/userguide/logging-network-events-with-cloudtrail.html). Of the
 * sandbox VPC's endpoints that is S3; ECR is not among them, its calls are management events. The others are there for
 * endpoints that somebody adds.
 */
const watchedSources = ["s3", "ec2", "kms", "secretsmanager", "cloudtrail"];

function data(name: string, type: string, ...fields: Field[]): Selector {
  return { name, fieldSelectors: [equals("eventCategory", "Data"), equals("resources.type", type), ...fields] };
}

function equals(field: string, value: string): Field {
  return { field, equalTo: [value] };
}

function startsWith(field: string, value: string): Field {
  return { field, startsWith: [value] };
}
