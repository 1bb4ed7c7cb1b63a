import { describe, expect, it } from "vitest";
import { edgeStack } from "./support/edge.ts";
import { actionsOf, conditionOf, flat, resourcesOf, statementsOf, theResource } from "./support/resources.ts";

describe("what tasks may do", () => {
  const { template } = edgeStack({ profile: "prod" });
  const rightsOf = (id: string) =>
    (theResource(template, "AWS::IAM::Role", id).properties["Policies"] as { PolicyDocument: unknown }[]).flatMap(
      ({ PolicyDocument }) => statementsOf(PolicyDocument),
    );
  /** Action with the partitions and attributes that it is limited to. */
  const summary = (id: string) =>
    rightsOf(id)
      .flatMap((statement) =>
        actionsOf(statement).map((action) =>
          [
            action,
            conditionOf(statement, "ForAllValues:StringLike", "dynamodb:LeadingKeys"),
            conditionOf(statement, "ForAllValues:StringEquals", "dynamodb:LeadingKeys"),
            conditionOf(statement, "ForAllValues:StringEquals", "dynamodb:Attributes"),
          ]
            .filter((part) => part !== "")
            .join(" "),
        ),
      )
      .filter((line) => !line.startsWith("kms:") || line === "kms:GetPublicKey");

  it("gateway: reads sandboxes, instances and keys, notes their use, records what is asked, reads the public key", () => {
    expect(summary("EdgeGatewayEdgeTaskRole")).toEqual([
      'dynamodb:GetItem ["SANDBOX#*","INSTANCE#*","KEY#*"]',
      'dynamodb:UpdateItem ["SANDBOX#*"] ["pk","sk","lastActivityAt","endedAt"]',
      'dynamodb:UpdateItem ["KEY#*"] ["pk","sk","lastUsedAt"]',
      'dynamodb:BatchWriteItem ["AUDIT#*"]',
      "kms:GetPublicKey",
    ]);
  });

  it("egress proxy: finds an instance by address and reads its sandbox; reads secrets, and becomes a sandbox's session", () => {
    expect(summary("EdgeEgressProxyEdgeTaskRole")).toEqual([
      'dynamodb:GetItem ["SANDBOX#*"]',
      'dynamodb:Query ["ADDRESS#*"]',
      'dynamodb:BatchWriteItem ["EGRESS#*","EGRESSOPEN#*"]',
      "secretsmanager:GetSecretValue",
      "secretsmanager:BatchGetSecretValue",
      'dynamodb:GetItem ["CONFIG"]',
      "sts:AssumeRole",
      "sts:TagSession",
    ]);
    const query = rightsOf("EdgeEgressProxyEdgeTaskRole").find((one) => actionsOf(one).includes("dynamodb:Query"));
    expect(flat(query?.Resource)).toMatch(/\/index\/gsi1$/);
  });

  it("egress proxy: reads projects' secrets by name and tag, as the function that seals them does, and opens its own CA's key", () => {
    const [projects] = rightsOf("EdgeEgressProxyEdgeTaskRole").filter((one) =>
      actionsOf(one).includes("secretsmanager:GetSecretValue"),
    );
    expect(flat(projects?.Resource)).toMatch(/:secret:bulkhead\/\*$/);
    expect(conditionOf(projects, "StringEquals", "aws:ResourceTag/bulkhead:deployment")).toBe("bulkhead");
    const purpose = "kms:EncryptionContext:purpose";
    const opens = rightsOf("EdgeEgressProxyEdgeTaskRole").filter(
      (one) => conditionOf(one, "StringEquals", purpose) === "egress-ca",
    );
    expect(opens.flatMap(actionsOf)).toEqual(["kms:Decrypt"]);
    expect(JSON.stringify(rightsOf("EdgeGatewayEdgeTaskRole"))).not.toMatch(/egress-ca|secretsmanager:/);
  });

  it.each([
    ["EdgeGatewayEdgeTaskRole", ["dynamodb"]],
    ["EdgeEgressProxyEdgeTaskRole", ["dynamodb", "secretsmanager"]],
  ])("%s uses the data key through %j, and for its own CA", (id, services) => {
    const through = rightsOf(id)
      .filter((one) => actionsOf(one).includes("kms:Decrypt"))
      .map((one) => conditionOf(one, "StringEquals", "kms:ViaService").split(".")[0]);
    expect(through.filter((service) => service !== "")).toEqual(services);
  });

  it("has no wildcard in an action, and in a resource only where the action knows none", () => {
    const statements = resourcesOf(template, "AWS::IAM::Role")
      .filter(({ id }) => /TaskRole|ExecutionRole/.test(id))
      .flatMap(({ properties }) => properties["Policies"] as { PolicyDocument: unknown }[])
      .flatMap(({ PolicyDocument }) => statementsOf(PolicyDocument));
    expect(statements.flatMap(actionsOf).filter((action) => action.includes("*"))).toEqual([]);
    const everywhere = statements.filter((one) => flat(one.Resource).includes("*")).flatMap(actionsOf);
    const secrets = ["secretsmanager:GetSecretValue", "secretsmanager:BatchGetSecretValue"];
    expect(new Set(everywhere)).toEqual(new Set(["ecr:GetAuthorizationToken", ...secrets]));
    expect(resourcesOf(template, "AWS::IAM::Policy").filter(({ id }) => /TaskRole|ExecutionRole/.test(id))).toEqual([]);
  });

  it("is for tasks of this account", () => {
    for (const { properties } of resourcesOf(template, "AWS::IAM::Role").filter(({ id }) =>
      /TaskRole|ExecutionRole/.test(id),
    )) {
      const [trust] = statementsOf(properties["AssumeRolePolicyDocument"]);
      expect(trust?.Principal).toEqual({ Service: "ecs-tasks.amazonaws.com" });
      expect(conditionOf(trust, "StringEquals", "aws:SourceAccount")).toBe(`\${AWS::AccountId}`);
    }
  });
});
