import { isDeepStrictEqual } from "node:util";
import { Duration } from "aws-cdk-lib";
import { Match, Template } from "aws-cdk-lib/assertions";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { soloKey } from "#aws/table.ts";
import { readEnvironment } from "#contracts/environment.ts";
import { contextKeys } from "#core/envelope.ts";
import { PlatformFunction } from "../../infra/constructs/functions/platform-function.ts";
import { functionNames } from "../../infra/constructs/parts.ts";
import * as environment from "../../lambdas/environment.ts";
import { controlPlane } from "./support/control-plane.ts";
import { actionsOf, roleOf, rolesOf } from "./support/policies.ts";
import { usedActions } from "./support/used-actions.ts";

const { stack, state, config } = controlPlane();
const template = Template.fromStack(stack);

const schemas = {
  "api-read": environment.apiReadEnvSchema,
  "api-lifecycle": environment.apiLifecycleEnvSchema,
  authorizer: environment.authorizerEnvSchema,
  "task-events": environment.taskEventsEnvSchema,
  sweeper: environment.taskEventsEnvSchema,
  pool: environment.poolEnvSchema,
  bridge: environment.bridgeEnvSchema,
  janitor: environment.janitorEnvSchema,
  bootstrap: environment.bootstrapEnvSchema,
  chainer: environment.chainerEnvSchema,
};
const roleIds = {
  "api-read": "ApiReadRole",
  "api-lifecycle": "ApiLifecycleRole",
  authorizer: "AuthorizerRole",
  "task-events": "TaskEventsRole",
  sweeper: "SweeperRole",
  pool: "PoolRole",
  bridge: "BridgeRole",
  janitor: "JanitorRole",
  bootstrap: "BootstrapRole",
  chainer: "ChainerRole",
} as const;

const functionSchema = z.object({
  Properties: z.object({ Environment: z.object({ Variables: z.record(z.string(), z.unknown()) }) }),
});

/** A function's variables as they may look at run time: references as placeholders. */
function variablesOf(name: string): Record<string, string> {
  const [resource] = Object.values(
    template.findResources("AWS::Lambda::Function", { Properties: { FunctionName: `bulkhead-${name}` } }),
  );
  const { Variables } = functionSchema.parse(resource).Properties.Environment;
  return Object.fromEntries(Object.entries(Variables).map(([key, value]) => [key, asText(value)]));
}

const joinSchema = z.object({ "Fn::Join": z.tuple([z.string(), z.array(z.unknown())]) });

function asText(value: unknown): string {
  const join = joinSchema.safeParse(value);
  if (join.success) return join.data["Fn::Join"][1].map(asText).join(join.data["Fn::Join"][0]);
  return typeof value === "string" ? value : "reference";
}

const logs = ["logs:CreateLogStream", "logs:PutLogEvents"];
const interfaces = [
  "ec2:AssignPrivateIpAddresses",
  "ec2:CreateNetworkInterface",
  "ec2:DeleteNetworkInterface",
  "ec2:DescribeNetworkInterfaces",
  "ec2:DescribeSubnets",
  "ec2:UnassignPrivateIpAddresses",
];

describe("every function", () => {
  it.each(functionNames)("%s has the environment that its handler reads", (name) => {
    const variables = { ...variablesOf(name), AWS_REGION: "eu-west-1" };
    expect(readEnvironment(schemas[name], variables)).toMatchObject({ BULKHEAD_DEPLOYMENT: "bulkhead" });
  });

  it.each(functionNames)("%s runs on arm64, as an ES module, with a log and a role of its own", (name) => {
    template.hasResourceProperties("AWS::Lambda::Function", {
      FunctionName: `bulkhead-${name}`,
      Architectures: ["arm64"],
      Runtime: "nodejs24.x",
      LoggingConfig: { LogGroup: { Ref: Match.anyValue() } },
      Role: { "Fn::GetAtt": [roleOf(template, roleIds[name]).id, "Arn"] },
    });
  });

  it("has no AWS managed policy, and a policy that IAM takes", () => {
    for (const name of functionNames) {
      const role = roleOf(template, roleIds[name]);
      expect(role.managed, name).toBe(0);
      expect(role.policyLength, name).toBeLessThan(10_240);
    }
    expect(Object.keys(template.findResources("AWS::IAM::Policy"))).toEqual([]);
  });

  it("may write its own log and no other", () => {
    const groups = functionNames.map((name) => {
      const [right] = roleOf(template, roleIds[name]).allows.filter(({ actions }) =>
        actions.includes("logs:PutLogEvents"),
      );
      return right?.resources.join();
    });
    expect(new Set(groups).size).toBe(functionNames.length);
    expect(groups.every((group) => group?.endsWith(".Arn>"))).toBe(true);
  });

  it("keeps its log encrypted and for a limited time", () => {
    const groups = Object.values(template.findResources("AWS::Logs::LogGroup")).map(
      (group) => z.object({ Properties: z.record(z.string(), z.unknown()).default({}) }).parse(group).Properties,
    );
    // Those that stand in for the edge's are made by the test.
    expect(groups.filter((group) => "KmsKeyId" in group && group["RetentionInDays"] === 7)).toHaveLength(11);
  });
});

describe("a variable that is missing", () => {
  it("does not compile", () => {
    const props = {
      config,
      name: "bridge",
      description: "",
      schema: environment.bridgeEnvSchema,
      rights: [],
      logKey: state.keys.data,
      timeout: Duration.seconds(1),
    } as const;
    const make = () => {
      // @ts-expect-error BULKHEAD_SANDBOX_CIDR is missing
      new PlatformFunction(stack, "Never", { ...props, environment: { BULKHEAD_DEPLOYMENT: "x" } });
    };
    expect(make).toBeTypeOf("function");
  });
});

describe("privilege", () => {
  const roles = rolesOf(template);
  const holdersOf = (action: string) => roles.filter((role) => actionsOf(role).includes(action)).map(({ id }) => id);

  it.each([
    "ecs:RunTask",
    "ecs:RegisterTaskDefinition",
    "ecs:TagResource",
    "iam:PassRole",
    "ec2:CreateSecurityGroup",
    "ec2:AuthorizeSecurityGroupIngress",
    "ec2:AuthorizeSecurityGroupEgress",
    "ec2:RevokeSecurityGroupEgress",
    "ec2:CreateTags",
    "elasticfilesystem:CreateAccessPoint",
  ])("%s stands in pool alone", (action) => {
    expect(holdersOf(action)).toEqual([roleOf(template, "PoolRole").id]);
  });

  it.each(["kms:GenerateDataKey without a service", "secretsmanager:BatchGetSecretValue"])(
    "%s stands in api-lifecycle alone",
    (text) => {
      const [action = "", direct] = text.split(" without ");
      const holders = roles.filter((role) =>
        role.allows.some(
          ({ actions, conditions }) =>
            actions.includes(action) &&
            (direct === undefined || !JSON.stringify(conditions).includes("kms:ViaService")),
        ),
      );
      expect(holders.map(({ id }) => id)).toEqual([roleOf(template, "ApiLifecycleRole").id]);
    },
  );

  it("bridge may do nothing in AWS but write its log; what Lambda needs for the VPC is denied to its code", () => {
    const role = roleOf(template, "BridgeRole");
    expect(actionsOf(role)).toEqual([...interfaces, ...logs].sort());
    expect(role.denies).toHaveLength(1);
    expect(role.denies[0]?.actions).toEqual(expect.arrayContaining(interfaces));
    expect(JSON.stringify(role.denies[0]?.conditions)).toContain(":function:bulkhead-bridge");
  });

  it("janitor may mount the root of the file system by its access point, and nothing else", () => {
    const role = roleOf(template, "JanitorRole");
    const mounts = [
      "elasticfilesystem:ClientMount",
      "elasticfilesystem:ClientRootAccess",
      "elasticfilesystem:ClientWrite",
    ];
    expect(actionsOf(role)).toEqual([...interfaces, ...logs, ...mounts].sort());
    const mount = role.allows.find(({ actions }) => actions.includes("elasticfilesystem:ClientMount"));
    expect(Object.keys(mount?.conditions["StringEquals"] ?? {})).toEqual(["elasticfilesystem:AccessPointArn"]);
    expect(JSON.stringify(role.denies[0]?.conditions)).toContain(":function:bulkhead-janitor");
  });

  it("only bridge and janitor are in the sandbox VPC", () => {
    const inVpc = Object.values(
      template.findResources("AWS::Lambda::Function", { Properties: { VpcConfig: Match.anyValue() } }),
    ).map((one) => z.object({ Properties: z.object({ FunctionName: z.string() }) }).parse(one).Properties.FunctionName);
    expect(inVpc.sort()).toEqual(["bulkhead-bridge", "bulkhead-janitor"]);
  });

  it("api-read can change nothing but the audit log, and signs nothing but what it says of that", () => {
    expect(actionsOf(roleOf(template, "ApiReadRole"))).toEqual(
      [...logs, "dynamodb:BatchWriteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"]
        .concat("kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey")
        .concat("kms:GetPublicKey", "kms:Sign")
        .sort(),
    );
  });

  it("api-lifecycle may stop tasks and say that their files stay, but neither launch nor take down", () => {
    const actions = actionsOf(roleOf(template, "ApiLifecycleRole"));
    expect(actions.filter((action) => /^(ecs|ec2|elasticfilesystem|iam):/.test(action))).toEqual([
      "ecs:ListTasks",
      "ecs:StopTask",
      "elasticfilesystem:DescribeAccessPoints",
      "elasticfilesystem:TagResource",
    ]);
    expect(actions.filter((action) => action.startsWith("lambda:"))).toEqual(["lambda:InvokeFunction"]);
  });

  it("functions are invoked by name, by those that need them", () => {
    const invoked = (part: string) =>
      roleOf(template, part)
        .allows.filter(({ actions }) => actions.includes("lambda:InvokeFunction"))
        .flatMap(({ resources }) => resources.map((one) => one.split(":").at(-1)));
    expect(invoked("ApiLifecycleRole")).toEqual(["bulkhead-bridge"]);
    expect(invoked("TaskEventsRole").sort()).toEqual(["bulkhead-bridge", "bulkhead-janitor"]);
    expect(invoked("SweeperRole").sort()).toEqual(["bulkhead-bridge", "bulkhead-janitor"]);
    for (const part of ["ApiReadRole", "AuthorizerRole", "PoolRole", "BootstrapRole"])
      expect(invoked(part)).toEqual([]);
  });
});

describe("conditions", () => {
  const pool = roleOf(template, "PoolRole");
  const rightTo = (action: string) => pool.allows.filter(({ actions }) => actions.includes(action));
  const made = { "aws:RequestTag/bulkhead:deployment": "bulkhead" };
  const ours = { "aws:ResourceTag/bulkhead:deployment": "bulkhead" };

  it.each([
    "ecs:RunTask",
    "ecs:RegisterTaskDefinition",
    "ecs:TagResource",
    "ec2:CreateTags",
    "elasticfilesystem:CreateAccessPoint",
  ])("%s asks for the deployment's tag on what is made", (action) => {
    const rights = rightTo(action);
    expect(rights.length).toBeGreaterThan(0);
    for (const { conditions } of rights) expect(conditions["StringEquals"]).toMatchObject(made);
  });

  it("access points are tagged while they are made, by pool; later only to say who uses them or left them", () => {
    const kinds = rolesOf(template).flatMap(({ id, allows }) =>
      allows
        .filter(({ actions }) => actions.includes("elasticfilesystem:TagResource"))
        .map(({ conditions }) => [id.replace(/Role.*$/, "").replace(/^.*Functions/, ""), conditions] as const),
    );
    const making = { StringEquals: { ...made, "elasticfilesystem:CreateAction": "CreateAccessPoint" } };
    const keys = (tag: string) => ({ "aws:TagKeys": [`bulkhead:${tag}`] });
    const only = (tag: string) => ({ StringEquals: ours, "ForAllValues:StringEquals": keys(tag) });
    const holdersOf = (wanted: object) =>
      kinds.filter(([, conditions]) => isDeepStrictEqual(conditions, wanted)).map(([id]) => id);
    expect(holdersOf(making)).toEqual(["Pool"]);
    expect(holdersOf(only("instance"))).toEqual(["Pool"]);
    expect(holdersOf(only("kept-by"))).toEqual(expect.arrayContaining(["Pool", "Sweeper", "TaskEvents"]));
    expect(kinds).toHaveLength(holdersOf(only("kept-by")).length + 2);
  });

  it.each([
    "ec2:DeleteSecurityGroup",
    "ec2:RevokeSecurityGroupEgress",
    "elasticfilesystem:DeleteAccessPoint",
    "ecs:DeleteTaskDefinitions",
  ])("%s asks for the deployment's tag on what is there", (action) => {
    for (const role of rolesOf(template)) {
      for (const { actions, conditions } of role.allows) {
        if (actions.includes(action)) expect(conditions["StringEquals"]).toMatchObject(ours);
      }
    }
  });

  it("rules go into tagged groups only, groups into the sandbox VPC only", () => {
    const onGroups = rightTo("ec2:AuthorizeSecurityGroupIngress").filter(({ resources }) =>
      resources.join().includes("security-group/"),
    );
    for (const { conditions } of onGroups) expect(conditions["StringEquals"]).toMatchObject(ours);
    const creates = rightTo("ec2:CreateSecurityGroup");
    expect(creates.filter(({ resources }) => resources.join().includes(":vpc/"))).toHaveLength(1);
    expect(creates.every(({ resources }) => /:vpc\/<?[^*]+$|security-group\/\*$/.test(resources.join()))).toBe(true);
  });

  it("tasks are run, stopped and seen in our cluster only", () => {
    for (const role of rolesOf(template)) {
      for (const { actions, conditions } of role.allows) {
        if (!actions.some((action) => /^ecs:(RunTask|StopTask|ListTasks|DescribeTasks)$/.test(action))) continue;
        expect(Object.keys(conditions["ArnEquals"] ?? {})).toEqual(["ecs:cluster"]);
      }
    }
  });

  it("a role is passed to ECS tasks only, and it is the one that pulls images", () => {
    const [pass, ...more] = rightTo("iam:PassRole");
    expect(more).toEqual([]);
    expect(pass?.conditions["StringEquals"]).toEqual({ "iam:PassedToService": "ecs-tasks.amazonaws.com" });
    expect(pass?.resources).toEqual([`<${roleOf(template, "ExecutionRole").id}.Arn>`]);
  });

  it("sealed values are bound to sandbox and project", () => {
    for (const part of ["ApiLifecycleRole", "TaskEventsRole", "SweeperRole"]) {
      const direct = roleOf(template, part).allows.filter(
        ({ actions, conditions }) =>
          actions.some((action) => /^kms:(?!Sign$|GetPublicKey$)/.test(action)) &&
          !JSON.stringify(conditions).includes("kms:ViaService"),
      );
      expect(direct, part).toHaveLength(1);
      expect(direct[0]?.conditions["ForAllValues:StringEquals"]).toEqual({
        "kms:EncryptionContextKeys": contextKeys,
      });
      expect(Object.keys(direct[0]?.conditions["Null"] ?? {})).toHaveLength(2);
    }
  });

  it("secrets are limited by name and by the deployment's tag", () => {
    const rights = roleOf(template, "ApiLifecycleRole").allows.filter(({ actions }) =>
      actions.includes("secretsmanager:GetSecretValue"),
    );
    expect(rights).toHaveLength(1);
    expect(rights[0]?.resources.join()).toMatch(/:secret:bulkhead\/\*$/);
    expect(rights[0]?.conditions["StringEquals"]).toEqual(ours);
  });
});

describe("rights to the table", () => {
  const byPartition = rolesOf(template).flatMap((role) =>
    role.allows
      .filter(({ actions }) => actions.some((action) => /^dynamodb:.*(Item|Query|Scan)$/.test(action)))
      .map((right) => ({ role: role.id, ...right })),
  );

  const keysOf = (part: string) =>
    byPartition
      .filter(({ role }) => role.includes(part))
      .flatMap(
        ({ conditions }) =>
          z
            .object({ "dynamodb:LeadingKeys": z.union([z.string(), z.array(z.string())]) })
            .parse(conditions["ForAllValues:StringLike"])["dynamodb:LeadingKeys"],
      );

  it("are by partition, each of them, and never to scan", () => {
    expect(byPartition.length).toBeGreaterThan(10);
    for (const right of byPartition) {
      expect(Object.keys(right.conditions["ForAllValues:StringLike"] ?? {}), right.role).toEqual([
        "dynamodb:LeadingKeys",
      ]);
      expect(right.actions).not.toContain("dynamodb:Scan");
    }
  });

  it("of the authorizer are to keys, and to record whom it refused", () => {
    expect(new Set(keysOf("AuthorizerRole"))).toEqual(new Set(["KEY#*", "AUDIT#*"]));
  });

  it("name partitions as the stores do", () => {
    const starts = (["SANDBOX", "INSTANCE", "KEY", "QUOTA", "IDEMPOTENCY"] as const).map(
      (kind) => soloKey(kind, "x").pk,
    );
    const granted = keysOf("ApiLifecycleRole");
    for (const pk of starts) {
      expect(
        granted.some((pattern) => pattern.endsWith("*") && pk.startsWith(pattern.slice(0, -1))),
        pk,
      ).toBe(true);
    }
  });
});

describe("an instance's only role", () => {
  it("pulls images of our repository and does nothing else; nothing is a task role", () => {
    const role = roleOf(template, "ExecutionRole");
    expect(actionsOf(role)).toEqual([
      "ecr:BatchCheckLayerAvailability",
      "ecr:BatchGetImage",
      "ecr:GetAuthorizationToken",
      "ecr:GetDownloadUrlForLayer",
    ]);
    const trusting = rolesOf(template).filter(({ trust }) => trust.includes("ecs-tasks.amazonaws.com"));
    expect(trusting.map(({ id }) => id)).toEqual([role.id]);
    expect(JSON.stringify(template.toJSON())).not.toMatch(/taskRole/i);
  });

  it("reaches repositories of this kind that the configuration names by digest", () => {
    const named = controlPlane({
      images: { base: `123456789012.dkr.ecr.eu-west-1.amazonaws.com/own/base@sha256:${"a".repeat(64)}` },
    });
    const pull = roleOf(Template.fromStack(named.stack), "ExecutionRole").allows.find(({ actions }) =>
      actions.includes("ecr:BatchGetImage"),
    );
    expect(pull?.resources.join()).toContain("ecr:eu-west-1:123456789012:repository/own/base");
  });
});

describe("rights and calls", () => {
  const granted = new Set(functionNames.flatMap((name) => actionsOf(roleOf(template, roleIds[name]))));
  const names = new Set([...granted].map((action) => action.slice(action.indexOf(":") + 1)));

  it("every call that an adapter makes is a right of some function", () => {
    // The edge's: edge-roles.test.ts.
    const used = usedActions().filter((name) => name !== "GetPublicKey" && name !== "AssumeRole");
    expect(used.length).toBeGreaterThan(25);
    expect(used.filter((name) => !names.has(name))).toEqual([]);
  });

  it("every right is used: by an adapter, or by AWS itself on its behalf", () => {
    const onBehalf = [
      ...logs,
      ...interfaces,
      // Tags and roles that go along with a call.
      "ec2:CreateTags",
      "ecs:TagResource",
      "elasticfilesystem:TagResource",
      "iam:PassRole",
      // The table's key, event source mappings, dead letters, the mount.
      "kms:Encrypt",
      "kms:DescribeKey",
      "dynamodb:DescribeStream",
      "dynamodb:GetRecords",
      "dynamodb:GetShardIterator",
      "dynamodb:ListStreams",
      "sqs:SendMessage",
      "elasticfilesystem:ClientMount",
      "elasticfilesystem:ClientWrite",
      "elasticfilesystem:ClientRootAccess",
    ];
    const used = new Set(usedActions());
    const unused = [...granted].filter(
      (action) => !onBehalf.includes(action) && !used.has(action.slice(action.indexOf(":") + 1)),
    );
    expect(unused).toEqual([]);
  });
});
