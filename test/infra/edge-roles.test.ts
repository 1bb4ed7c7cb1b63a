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
            conditionOf(statement, "ForAllValues:StringEquals", "dynamodb:Attributes"),
          ]
            .filter((part) => part !== "")
            .join(" "),
        ),
      )
      .filter((line) => !line.startsWith("kms:") || line === "kms:GetPublicKey");

  it("gateway: reads sandboxes, instances and keys, notes their use, reads the public key", () => {
    expect(summary("EdgeGatewayEdgeTaskRole")).toEqual([
      'dynamodb:GetItem ["SANDBOX#*","INSTANCE#*","KEY#*"]',
      'dynamodb:UpdateItem ["SANDBOX#*"] ["pk","sk","lastActivityAt","endedAt"]',
      'dynamodb:UpdateItem ["KEY#*"] ["pk","sk","lastUsedAt"]',
      "kms:GetPublicKey",
    ]);
  });

  it("egress proxy: finds an instance by address and reads its sandbox", () => {
    expect(summary("EdgeEgressProxyEdgeTaskRole")).toEqual([
      'dynamodb:GetItem ["SANDBOX#*"]',
      'dynamodb:Query ["ADDRESS#*"]',
    ]);
    const query = rightsOf("EdgeEgressProxyEdgeTaskRole").find((one) => actionsOf(one).includes("dynamodb:Query"));
    expect(flat(query?.Resource)).toMatch(/\/index\/gsi1$/);
  });

  it("uses the data key through the table only", () => {
    for (const id of ["EdgeGatewayEdgeTaskRole", "EdgeEgressProxyEdgeTaskRole"]) {
      const onKeys = rightsOf(id).filter((one) => actionsOf(one).includes("kms:Decrypt"));
      expect(onKeys).toHaveLength(1);
      expect(conditionOf(onKeys[0], "StringEquals", "kms:ViaService")).toMatch(/^dynamodb\./);
    }
  });

  it("has no wildcard in an action, and in a resource only where the action knows none", () => {
    const statements = resourcesOf(template, "AWS::IAM::Role")
      .filter(({ id }) => /TaskRole|ExecutionRole/.test(id))
      .flatMap(({ properties }) => properties["Policies"] as { PolicyDocument: unknown }[])
      .flatMap(({ PolicyDocument }) => statementsOf(PolicyDocument));
    expect(statements.flatMap(actionsOf).filter((action) => action.includes("*"))).toEqual([]);
    const everywhere = statements.filter((one) => flat(one.Resource).includes("*")).flatMap(actionsOf);
    expect(new Set(everywhere)).toEqual(new Set(["ecr:GetAuthorizationToken"]));
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
