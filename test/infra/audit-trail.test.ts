import { Match } from "aws-cdk-lib/assertions";
import { describe, expect, it } from "vitest";
import { foundationTemplates } from "./support/app.ts";
import { actionsOf, conditionOf, flat, resourcesOf, statementsOf, theResource } from "./support/resources.ts";

const templates = {
  dev: foundationTemplates({ profile: "dev" }).state,
  prod: foundationTemplates({ profile: "prod", auditLockDays: "400" }).state,
};
const { prod } = templates;
const isAuditKey = { "Fn::GetAtt": [Match.stringLikeRegexp("^KeysAudit"), "Arn"] };
const trailArn = `arn:\${AWS::Partition}:cloudtrail:\${AWS::Region}:\${AWS::AccountId}:trail/bulkhead-audit`;

interface FieldSelector {
  readonly Field: string;
  readonly Equals?: unknown[];
  readonly StartsWith?: unknown[];
  readonly NotEquals?: unknown[];
}

describe.each(["dev", "prod"] as const)("the trail in %s", (profile) => {
  const template = templates[profile];

  it("sees all regions, proves its files by digest, and encrypts them", () => {
    template.hasResourceProperties("AWS::CloudTrail::Trail", {
      IsLogging: true,
      IsMultiRegionTrail: true,
      IncludeGlobalServiceEvents: true,
      EnableLogFileValidation: true,
      KMSKeyId: isAuditKey,
      S3BucketName: { Ref: Match.stringLikeRegexp("^AuditRecords") },
      CloudWatchLogsLogGroupArn: { "Fn::GetAtt": [Match.stringLikeRegexp("^AuditTrailEvents"), "Arn"] },
    });
  });

  it("selects with advanced selectors alone: CloudTrail takes one kind or the other", () => {
    const { properties } = theResource(template, "AWS::CloudTrail::Trail");
    expect(properties["EventSelectors"]).toBeUndefined();
  });

  it("records management, the table, the functions, the records themselves, and what endpoints refuse", () => {
    const { properties } = theResource(template, "AWS::CloudTrail::Trail");
    const selectors = properties["AdvancedEventSelectors"] as { FieldSelectors: FieldSelector[] }[];
    const written = selectors.map(({ FieldSelectors }) => FieldSelectors.map(text).join(" & "));
    const network = "eventCategory=NetworkActivity & eventSource=";
    expect(written).toEqual([
      "eventCategory=Management",
      expect.stringMatching(/^eventCategory=Data & resources.type=AWS::DynamoDB::Table & resources.ARN=\$\{StateTable/),
      `eventCategory=Data & resources.type=AWS::Lambda::Function & resources.ARN^=arn:\${AWS::Partition}:lambda:\${AWS::Region}:\${AWS::AccountId}:function:bulkhead-`,
      expect.stringMatching(
        /^eventCategory=Data & resources.type=AWS::S3::Object & resources.ARN\^=\$\{AuditRecords\w+\.Arn\}\/ & eventName!=PutObject$/,
      ),
      ...["s3", "ec2", "kms", "secretsmanager", "cloudtrail"].map(
        (source) => `${network}${source}.amazonaws.com & errorCode=VpceAccessDenied`,
      ),
    ]);
  });

  it("alone may use bucket and key", () => {
    const key = theResource(template, "AWS::KMS::Key", "KeysAudit");
    const forTrail = statementsOf(key.properties["KeyPolicy"]).filter((statement) =>
      JSON.stringify(statement.Principal).includes("cloudtrail.amazonaws.com"),
    );
    expect(forTrail.flatMap(actionsOf).sort()).toEqual(["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"]);
    for (const statement of forTrail) expect(conditionOf(statement, "StringEquals", "aws:SourceArn")).toBe(trailArn);
    const bucketPolicy = theResource(template, "AWS::S3::BucketPolicy", "AuditRecords").properties["PolicyDocument"];
    const denial = statementsOf(bucketPolicy).find(({ Sid }) => Sid === "OnlyThisTrail");
    expect(denial).toMatchObject({ Effect: "Deny", Action: "s3:PutObject" });
    expect(conditionOf(denial, "StringNotEquals", "aws:SourceArn")).toBe(trailArn);
  });
});

describe.each(["dev", "prod"] as const)("the audit bucket in %s", (profile) => {
  const template = templates[profile];
  const records = theResource(template, "AWS::S3::Bucket", "AuditRecords");

  it("is versioned, private, encrypted with the audit key, and logs who reads it", () => {
    expect(records.properties).toMatchObject({
      VersioningConfiguration: { Status: "Enabled" },
      PublicAccessBlockConfiguration: {
        BlockPublicAcls: true,
        BlockPublicPolicy: true,
        IgnorePublicAcls: true,
        RestrictPublicBuckets: true,
      },
    });
    expect(JSON.stringify(records.properties["BucketEncryption"])).toContain("KeysAudit");
    expect(JSON.stringify(records.properties["LoggingConfiguration"])).toContain("AuditAccessLogs");
  });

  it("like the bucket of its access logs answers by TLS only, and nobody else's requests", () => {
    const policies = resourcesOf(template, "AWS::S3::BucketPolicy");
    expect(policies).toHaveLength(2);
    for (const { properties } of policies) {
      const statements = statementsOf(properties["PolicyDocument"]);
      expect(statements).toContainEqual(
        expect.objectContaining({
          Effect: "Deny",
          Action: "s3:*",
          Principal: { AWS: "*" },
          Condition: { Bool: { "aws:SecureTransport": "false" } },
        }),
      );
      const open = statements.filter(
        ({ Effect, Principal }) => Effect === "Allow" && flat(Principal) === '{"AWS":"*"}',
      );
      expect(open).toEqual([]);
    }
  });
});

describe("the lock", () => {
  it("in prod lets nobody remove a record before its time", () => {
    expect(theResource(prod, "AWS::S3::Bucket", "AuditRecords").properties).toMatchObject({
      ObjectLockEnabled: true,
      ObjectLockConfiguration: {
        ObjectLockEnabled: "Enabled",
        Rule: { DefaultRetention: { Mode: "COMPLIANCE", Days: 400 } },
      },
    });
  });

  it("is not on the bucket of access logs: S3 would not deliver there", () => {
    expect(theResource(prod, "AWS::S3::Bucket", "AuditAccessLogs").properties["ObjectLockEnabled"]).toBeUndefined();
  });
});

function text({ Field, Equals, StartsWith, NotEquals }: FieldSelector): string {
  if (Equals !== undefined) return `${Field}=${Equals.map(flat).join(",")}`;
  if (StartsWith !== undefined) return `${Field}^=${StartsWith.map(flat).join(",")}`;
  return `${Field}!=${(NotEquals ?? []).map(flat).join(",")}`;
}
