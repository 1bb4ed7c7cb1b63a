import { Match } from "aws-cdk-lib/assertions";
import { describe, expect, it } from "vitest";
import { tableSchema } from "../../src/aws/table.ts";
import { foundationTemplates } from "./support/app.ts";
import {
  actionsOf,
  conditionOf,
  flat,
  resourcesOf,
  type Statement,
  statementsOf,
  theResource,
} from "./support/resources.ts";

const templates = {
  dev: foundationTemplates({ profile: "dev" }).state,
  prod: foundationTemplates({ profile: "prod" }).state,
};
const { dev, prod } = templates;
const isDataKey = { "Fn::GetAtt": [Match.stringLikeRegexp("^KeysData"), "Arn"] };

describe("the table", () => {
  it("is encrypted with the data key, expires records and can be restored", () => {
    dev.hasResourceProperties("AWS::DynamoDB::Table", {
      SSESpecification: { SSEEnabled: true, SSEType: "KMS", KMSMasterKeyId: isDataKey },
      TimeToLiveSpecification: { AttributeName: tableSchema.ttlAttribute, Enabled: true },
      PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
    });
  });

  it("streams both images: what TTL removed is only in the old one", () => {
    dev.hasResourceProperties("AWS::DynamoDB::Table", {
      StreamSpecification: { StreamViewType: "NEW_AND_OLD_IMAGES" },
    });
  });

  it("has the indexes the adapters query", () => {
    dev.hasResourceProperties("AWS::DynamoDB::Table", {
      GlobalSecondaryIndexes: tableSchema.indexes.map(({ name, partitionKey, sortKey }) => ({
        IndexName: name,
        KeySchema: [
          { AttributeName: partitionKey, KeyType: "HASH" },
          { AttributeName: sortKey, KeyType: "RANGE" },
        ],
        Projection: { ProjectionType: "ALL" },
      })),
    });
  });
});

describe("the keys", () => {
  it("rotate where KMS can: data and audit; the keys that sign are asymmetric", () => {
    const keys = resourcesOf(dev, "AWS::KMS::Key").map(({ id, properties }) => [id, properties["EnableKeyRotation"]]);
    expect(keys).toEqual([
      [expect.stringMatching(/^KeysData/), true],
      [expect.stringMatching(/^KeysAudit/), true],
      [expect.stringMatching(/^KeysSigning/), undefined],
      [expect.stringMatching(/^KeysEvidence/), undefined],
    ]);
    dev.hasResourceProperties("AWS::KMS::Key", { KeySpec: "ECC_NIST_P256", KeyUsage: "SIGN_VERIFY" });
  });

  it("let AWS services in only for this account, never anybody at all", () => {
    for (const { properties } of resourcesOf(dev, "AWS::KMS::Key")) {
      for (const statement of statementsOf(properties["KeyPolicy"])) {
        const principal = JSON.stringify(statement.Principal);
        if (principal.includes(":root")) continue;
        expect(statement.Effect).toBe("Allow");
        expect(actionsOf(statement).filter((action) => action.includes("*"))).toEqual([]);
        expect(JSON.stringify(statement.Condition)).toContain("AWS::AccountId");
      }
    }
  });
});

describe("the file system", () => {
  const { properties } = theResource(prod, "AWS::EFS::FileSystem");
  const policy = statementsOf(properties["FileSystemPolicy"]);
  const clientActions = ["ClientMount", "ClientRootAccess", "ClientWrite"].map((name) => `elasticfilesystem:${name}`);
  const denial = (sid: string): Statement | undefined =>
    policy.find(({ Sid, Effect, Principal }) => Sid === sid && Effect === "Deny" && flat(Principal) === '{"AWS":"*"}');

  it("is encrypted with the data key and grows by itself", () => {
    prod.hasResourceProperties("AWS::EFS::FileSystem", {
      Encrypted: true,
      KmsKeyId: isDataKey,
      ThroughputMode: "elastic",
      LifecyclePolicies: Match.arrayWith([{ TransitionToIA: "AFTER_30_DAYS" }]),
    });
  });

  it("refuses everybody without TLS", () => {
    const statement = denial("OnlyWithTls");
    expect(statement?.Condition).toEqual({ Bool: { "aws:SecureTransport": "false" } });
    expect(statement && actionsOf(statement).sort()).toEqual(clientActions);
  });

  it("refuses everybody without an access point", () => {
    const statement = denial("OnlyThroughAccessPoint");
    expect(statement?.Condition).toEqual({ Null: { "elasticfilesystem:AccessPointArn": "true" } });
    expect(statement && actionsOf(statement).sort()).toEqual(clientActions);
  });

  it("lets nobody be root but the janitor's role", () => {
    const allowed = policy.filter(({ Effect }) => Effect === "Allow").flatMap(actionsOf);
    expect(allowed.sort()).toEqual(["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"]);
    const statement = denial("NobodyButTheJanitorIsRoot");
    expect(statement && actionsOf(statement)).toEqual(["elasticfilesystem:ClientRootAccess"]);
    expect(conditionOf(statement, "ArnNotLike", "aws:PrincipalArn")).toBe(
      `arn:\${AWS::Partition}:iam::\${AWS::AccountId}:role/bulkhead-janitor-\${AWS::Region}`,
    );
  });

  it("lets clients without IAM in through mount targets only", () => {
    const [statement, ...others] = policy.filter(({ Effect }) => Effect === "Allow");
    expect(others).toEqual([]);
    expect(statement?.Condition).toEqual({
      Bool: { "elasticfilesystem:AccessedViaMountTarget": "true" },
      Null: { "elasticfilesystem:AccessPointArn": "false" },
    });
  });

  it.each([
    ["dev", 1],
    ["prod", 2],
  ] as const)("has a mount target in each sandbox subnet of %s, behind its group", (profile, count) => {
    const targets = resourcesOf(templates[profile], "AWS::EFS::MountTarget");
    expect(targets).toHaveLength(count);
    for (const target of targets) {
      expect(flat(target.properties["SubnetId"])).toContain("SandboxVpcsandboxSubnet");
      expect(JSON.stringify(target.properties["SecurityGroups"])).toContain("SecurityGroupsFileSystem");
    }
  });

  it("has one access point of its own, the janitor's; instances' are made when they are", () => {
    expect(theResource(prod, "AWS::EFS::AccessPoint").properties).toMatchObject({
      PosixUser: { Uid: "0", Gid: "0" },
      RootDirectory: { Path: "/" },
    });
  });

  it("is backed up where data is retained", () => {
    prod.hasResourceProperties("AWS::EFS::FileSystem", { BackupPolicy: { Status: "ENABLED" } });
    expect(JSON.stringify(theResource(dev, "AWS::EFS::FileSystem"))).not.toContain('"ENABLED"');
  });
});

describe("the first API key's secret", () => {
  it("is made empty, under the data key, with a generated name", () => {
    const { properties } = theResource(dev, "AWS::SecretsManager::Secret");
    expect(Object.keys(properties).sort()).toEqual(["Description", "KmsKeyId"]);
    expect(flat(properties["KmsKeyId"])).toMatch(/^\$\{KeysData.*\.Arn\}$/);
  });

  it("opens with its key for whoever may use it, through Secrets Manager only", () => {
    const { properties } = theResource(dev, "AWS::KMS::Key", "KeysData");
    const statement = statementsOf(properties["KeyPolicy"]).find(({ Sid }) => Sid === "SecretsOfThisAccount");
    expect(conditionOf(statement, "StringEquals", "kms:ViaService")).toBe(
      `secretsmanager.\${AWS::Region}.amazonaws.com`,
    );
    expect(conditionOf(statement, "StringEquals", "kms:CallerAccount")).toBe(`\${AWS::AccountId}`);
  });
});

describe("the image repository", () => {
  it("never moves a tag, scans what comes in, and is encrypted with the data key", () => {
    dev.hasResourceProperties("AWS::ECR::Repository", {
      ImageTagMutability: "IMMUTABLE",
      ImageScanningConfiguration: { ScanOnPush: true },
      EncryptionConfiguration: { EncryptionType: "KMS", KmsKey: isDataKey },
    });
  });

  it("expires untagged images only", () => {
    const { properties } = theResource(dev, "AWS::ECR::Repository");
    const { LifecyclePolicyText } = properties["LifecyclePolicy"] as { LifecyclePolicyText: string };
    const { rules } = JSON.parse(LifecyclePolicyText) as { rules: { selection: { tagStatus: string } }[] };
    expect(rules.map(({ selection }) => selection.tagStatus)).toEqual(["untagged"]);
  });
});

describe("everything at rest", () => {
  it.each(["dev", "prod"] as const)("has a key of ours, logs included, in %s", (profile) => {
    const groups = resourcesOf(templates[profile], "AWS::Logs::LogGroup");
    expect(groups.length).toBeGreaterThan(0);
    for (const { properties } of groups) expect(flat(properties["KmsKeyId"])).toMatch(/^\$\{Keys(Data|Audit)/);
    const roles = resourcesOf(templates[profile], "AWS::IAM::Role");
    for (const { properties } of roles) expect(properties["ManagedPolicyArns"]).toBeUndefined();
  });
});

describe("the state's end", () => {
  const stateful = [
    "AWS::DynamoDB::Table",
    "AWS::ECR::Repository",
    "AWS::EFS::FileSystem",
    "AWS::KMS::Key",
    "AWS::S3::Bucket",
    "AWS::SecretsManager::Secret",
  ];

  it("leaves nothing in dev: no policy keeps, no protection refuses, buckets and repositories are emptied", () => {
    const policies = resourcesOf(dev).map(({ deletionPolicy }) => deletionPolicy ?? "Delete");
    expect(new Set(policies)).toEqual(new Set(["Delete"]));
    dev.hasResourceProperties("AWS::DynamoDB::Table", { DeletionProtectionEnabled: false });
    dev.hasResourceProperties("AWS::ECR::Repository", { EmptyOnDelete: true });
    const emptied = resourcesOf(dev, "Custom::S3AutoDeleteObjects").map(({ properties }) =>
      flat(properties["BucketName"]),
    );
    expect(emptied.sort()).toEqual(
      resourcesOf(dev, "AWS::S3::Bucket")
        .map(({ id }) => `\${${id}}`)
        .sort(),
    );
    expect(JSON.stringify(dev.toJSON())).not.toContain("ObjectLock");
    for (const { properties } of resourcesOf(dev, "AWS::KMS::Key")) expect(properties["PendingWindowInDays"]).toBe(7);
  });

  it("leaves everything that holds data in prod, and the table protects itself", () => {
    const all = resourcesOf(prod).filter(({ type }) => stateful.includes(type));
    expect(new Set(all.map(({ type }) => type))).toEqual(new Set(stateful));
    expect(all.filter(({ deletionPolicy }) => deletionPolicy !== "Retain").map(({ id }) => id)).toEqual([]);
    prod.hasResourceProperties("AWS::DynamoDB::Table", { DeletionProtectionEnabled: true });
    prod.resourceCountIs("Custom::S3AutoDeleteObjects", 0);
  });
});
