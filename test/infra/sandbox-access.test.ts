import { Template } from "aws-cdk-lib/assertions";
import { Bucket } from "aws-cdk-lib/aws-s3";
import { describe, expect, it } from "vitest";
import { deployment } from "./support/deployment.ts";
import { edgeStack } from "./support/edge.ts";
import { actionsOf, conditionOf, flat, resourcesOf, statementsOf, theResource } from "./support/resources.ts";

const role = "EdgeEgressProxyAccessRole";

describe("the role that sandboxes call AWS with", () => {
  const { template } = edgeStack();
  const { properties } = theResource(template, "AWS::IAM::Role", role);

  it("can be assumed by the egress proxy alone, with a sandbox's and a project's tag and no other", () => {
    const statements = statementsOf(properties["AssumeRolePolicyDocument"]);
    const { id: proxy } = theResource(template, "AWS::IAM::Role", "EdgeEgressProxyEdgeTaskRole");
    expect(statements.flatMap(actionsOf).sort()).toEqual(["sts:AssumeRole", "sts:TagSession"]);
    for (const statement of statements) {
      expect(statement.Principal).toEqual({ AWS: { "Fn::GetAtt": [proxy, "Arn"] } });
      expect(conditionOf(statement, "ForAllValues:StringEquals", "aws:TagKeys")).toBe(
        '["bulkhead:sandbox","bulkhead:project"]',
      );
    }
  });

  it("is the one that the proxy may assume, and is told of", () => {
    const name = flat(properties["RoleName"]);
    expect(name).toBe(`bulkhead-sandbox-access-\${AWS::Region}`);
    const arn = `arn:\${AWS::Partition}:iam::\${AWS::AccountId}:role/${name}`;
    const rights = (
      theResource(template, "AWS::IAM::Role", "EdgeEgressProxyEdgeTaskRole").properties["Policies"] as {
        PolicyDocument: unknown;
      }[]
    ).flatMap(({ PolicyDocument }) => statementsOf(PolicyDocument));
    const assume = rights.filter((one) => actionsOf(one).some((action) => action.startsWith("sts:")));
    expect(assume.map(({ Resource }) => flat(Resource))).toEqual([arn]);
    const task = theResource(template, "AWS::ECS::TaskDefinition", "EdgeEgressProxy");
    const [container] = task.properties["ContainerDefinitions"] as {
      Environment: { Name: string; Value: unknown }[];
    }[];
    const told = container?.Environment.find(({ Name }) => Name === "BULKHEAD_ACCESS_ROLE_ARN");
    expect(flat(told?.Value)).toBe(arn);
  });

  it("may do nothing until the deployer says so", () => {
    expect(properties["Policies"]).toBeUndefined();
    expect(properties["ManagedPolicyArns"]).toBeUndefined();
    expect(resourcesOf(template, "AWS::IAM::Policy").filter(({ id }) => id.startsWith(role))).toEqual([]);
  });

  it("may do what the context says, and what it is granted", () => {
    const statements = [
      { Action: "s3:GetObject", Resource: `arn:aws:s3:::data/\${aws:PrincipalTag/bulkhead:project}/*` },
    ];
    const { stack } = deployment({ sandboxAccess: JSON.stringify(statements) });
    const bucket = Bucket.fromBucketName(stack, "Theirs", "theirs");
    bucket.grantPut(stack.platform.sandboxAccess);
    const added = resourcesOf(Template.fromStack(stack), "AWS::IAM::Policy").filter(({ id }) => id.includes(role));
    const allowed = added.flatMap(({ properties: { PolicyDocument } }) => statementsOf(PolicyDocument));
    expect(allowed.flatMap(actionsOf)).toEqual(expect.arrayContaining(["s3:GetObject", "s3:PutObject"]));
    expect(allowed.map(({ Resource }) => flat(Resource))).toContain(statements[0]?.Resource);
  });
});

describe("its boundary", () => {
  const { template } = edgeStack({ sandboxAccessAccounts: ["111122223333"] });
  const boundary = theResource(template, "AWS::IAM::ManagedPolicy", "EdgeEgressProxyAccessBoundary");
  const denied = statementsOf(boundary.properties["PolicyDocument"]).filter(({ Effect }) => Effect === "Deny");
  const said = (sid: string) => denied.find(({ Sid }) => Sid === sid);

  it("stands in the role", () => {
    const { properties } = theResource(template, "AWS::IAM::Role", role);
    expect(properties["PermissionsBoundary"]).toEqual({ Ref: boundary.id });
  });

  it("keeps sandboxes from identities and from ends of keys", () => {
    const never = actionsOf(said("NeverForSandboxes") ?? { Effect: "", Action: [] });
    expect(never).toEqual(expect.arrayContaining(["iam:*", "sts:*", "organizations:*", "kms:ScheduleKeyDeletion"]));
  });

  it("keeps them from the platform: its table, keys, secrets, files, functions and tasks", () => {
    const own = JSON.stringify(said("NotThePlatform")?.Resource);
    for (const part of ["KeysData", "KeysSigning", "KeysAudit", "StateTable", "FirstKey", "Audit", "SandboxFiles"]) {
      expect(own).toContain(part);
    }
    for (const part of ["secret:bulkhead/*", "function:bulkhead-*", "task/bulkhead-*"]) expect(own).toContain(part);
    const byTag = denied.flatMap(({ Condition }) =>
      Object.keys((Condition?.["StringEquals"] as object | undefined) ?? {}),
    );
    expect(byTag).toEqual(["aws:ResourceTag/bulkhead:platform", "aws:ResourceTag/bulkhead:deployment"]);
  });

  it("keeps them in the account, and in those that were named", () => {
    const outside = said("NotInOtherAccounts");
    expect(conditionOf(outside, "StringNotEquals", "aws:ResourceAccount")).toBe(
      '[{"Ref":"AWS::AccountId"},"111122223333"]',
    );
    expect(conditionOf(outside, "Null", "aws:ResourceAccount")).toBe("false");
  });

  it("is no longer than a managed policy may be", () => {
    const text = JSON.stringify(boundary.properties["PolicyDocument"]);
    expect(text.length).toBeLessThan(6_000);
  });
});
