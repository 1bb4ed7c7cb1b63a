import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import * as environment from "../../lambdas/environment.ts";
import { type Account, accountId, openAccount, region } from "./emulator/account.ts";
import { coverageDocument, coverageOf, summaryOf } from "./emulator/coverage.ts";
import { gaps } from "./emulator/gaps.ts";
import { type Ministack, startMinistack } from "./emulator/ministack.ts";
import { readBack } from "./emulator/read-back.ts";
import { createStack, type LoadedStack, loadStack } from "./emulator/stacks.ts";
import { deployments, synthesized } from "./emulator/synthesized.ts";
import { parseTemplate } from "./emulator/template.ts";

const opened: { ministack?: Ministack } = {};
/** What only functions that the deployment runs can tell. */
const toldByFunctions = ["S3PrefixListLookup", "SandboxesImagesbase", "SandboxesImagescodeinterpreter"];
const installMs = 400_000;

beforeAll(async () => {
  opened.ministack = await startMinistack(accountId);
}, installMs);
afterAll(() => opened.ministack?.stop());

function theEndpoint(): string {
  if (opened.ministack === undefined) throw new Error("ministack is not started");
  return opened.ministack.endpoint;
}

/** A hosted zone, as somebody who deploys with a domain brings it. @returns its id */
async function makeZone(account: Account, name: unknown): Promise<string> {
  const zone = { Type: "AWS::Route53::HostedZone", Properties: { Name: name } };
  const { resources } = await loadStack(account, "zone", parseTemplate({ Resources: { Zone: zone } }));
  return resources.get("Zone")?.physicalId ?? "";
}

/** All stacks of a deployment in an account that was empty. */
async function load(context: Readonly<Record<string, unknown>>): Promise<LoadedStack[]> {
  await opened.ministack?.reset();
  const account = openAccount(theEndpoint());
  await account.bootstrap();
  const given =
    "domain" in context ? { ...context, hostedZoneId: await makeZone(account, context["domain"]) } : context;
  const loaded: LoadedStack[] = [];
  for (const [name, template] of synthesized(given)) loaded.push(await loadStack(account, name, template));
  return loaded;
}

describe("the emulator", () => {
  const topic = (properties: object) => ({ Resources: { One: { Type: "AWS::SNS::Topic", Properties: properties } } });
  const create = (name: string, template: object) => createStack(openAccount(theEndpoint()), name, template);

  it.each([
    [
      "a type that does not exist",
      { Resources: { One: { Type: "AWS::SNS::Topical" } } },
      "Unrecognized resource types",
    ],
    [
      "an attribute that does not exist",
      {
        Resources: {
          ...topic({ DisplayName: { "Fn::GetAtt": ["Two", "Nope"] } }).Resources,
          Two: { Type: "AWS::SQS::Queue" },
        },
      },
      "attribute Nope does not exist",
    ],
    ["an import that no stack exports", topic({ DisplayName: { "Fn::ImportValue": "nope" } }), "'nope' not found"],
    [
      "a cycle",
      {
        Resources: {
          One: { Type: "AWS::SNS::Topic", DependsOn: "Two" },
          Two: { Type: "AWS::SNS::Topic", DependsOn: "One" },
        },
      },
      "Circular dependency",
    ],
  ])("refuses %s", async (what, template, reason) => {
    await expect(create(what.replaceAll(" ", "-"), template)).rejects.toThrow(reason);
  });

  it.each([
    ["a Ref to nothing", topic({ DisplayName: { Ref: "Nothing" } })],
    ["a property that does not exist", topic({ Nope: "x" })],
    ["a required property that is missing", { Resources: { One: { Type: "AWS::DynamoDB::Table" } } }],
    [
      "an id that nothing has",
      { Resources: { One: { Type: "AWS::EC2::Subnet", Properties: { VpcId: "vpc-0", CidrBlock: "10.0.0.0/24" } } } },
    ],
  ])("takes %s, as docs/emulator-coverage.md says", async (what, template) => {
    await expect(create(what.replaceAll(" ", "-"), template)).resolves.toBeUndefined();
  });

  it.each(gaps)("refuses $type $which", async ({ type, example }) => {
    const template = { Resources: { One: { Type: type, Properties: example } } };
    await expect(create(`gap-${type.replaceAll(":", "-")}`, template)).rejects.toThrow("not supported");
  });
});

describe("a deployment", () => {
  const stacks: Record<string, LoadedStack[]> = {};

  it.each(Object.entries(deployments))(
    "of %s comes to stand, with everything that the emulator knows",
    async (name, context) => {
      const loaded = await load(context);
      stacks[name] = loaded;
      for (const { template, resources } of loaded) {
        expect([...resources.keys()].sort()).toEqual(Object.keys(template.Resources).sort());
      }
    },
  );

  it("is covered as docs/emulator-coverage.md says", async () => {
    // Else a page written of one deployment would be taken for the whole.
    expect(Object.keys(stacks)).toEqual(Object.keys(deployments));
    const all = Object.values(stacks).flat();
    const coverage = coverageOf(all);
    console.log(summaryOf(coverage));
    await expect(coverageDocument(coverage, all)).toMatchFileSnapshot("../../docs/emulator-coverage.md");
  });

  describe("of dev, asked for through AWS's APIs", () => {
    const made = (type: string, part = "") => {
      const found = (stacks["dev"] ?? [])
        .flatMap(({ resources }) => [...resources])
        .filter(([id, one]) => one.type === type && id.includes(part));
      if (found.length === 0) throw new Error(`no ${type} whose id has "${part}"`);
      return found.map(([, { physicalId }]) => physicalId);
    };
    const theOnly = (type: string, part?: string) => z.tuple([z.string()]).parse(made(type, part))[0];

    it("has the table with its stream and its indexes", async () => {
      expect(await readBack(theEndpoint()).table(theOnly("AWS::DynamoDB::Table"))).toMatchObject({
        BillingModeSummary: { BillingMode: "PAY_PER_REQUEST" },
        KeySchema: [{ AttributeName: "pk" }, { AttributeName: "sk" }],
        StreamSpecification: { StreamEnabled: true, StreamViewType: "NEW_AND_OLD_IMAGES" },
        GlobalSecondaryIndexes: [{ IndexName: "gsi1" }, { IndexName: "gsi2" }],
      });
    });

    it("has it without expiry and encryption, as docs/emulator-coverage.md says: the templates have both", async () => {
      const table = await readBack(theEndpoint()).table(theOnly("AWS::DynamoDB::Table"));
      expect(table.timeToLive?.TimeToLiveStatus).toBe("DISABLED");
      expect(table.SSEDescription).toBeUndefined();
    });

    it("has a key that signs, and keys that are rotated", async () => {
      const { key } = readBack(theEndpoint());
      expect(await key(theOnly("AWS::KMS::Key", "KeysSigning"))).toMatchObject({
        spec: "ECC_NIST_P256",
        usage: "SIGN_VERIFY",
      });
      for (const part of ["KeysData", "KeysAudit", "LogKey"]) {
        expect(await key(theOnly("AWS::KMS::Key", part))).toEqual({
          spec: "SYMMETRIC_DEFAULT",
          usage: "ENCRYPT_DECRYPT",
          rotated: true,
        });
      }
    });

    it("lets nobody in from the internet", async () => {
      const ours = new Set(made("AWS::EC2::SecurityGroup"));
      const groups = (await readBack(theEndpoint()).securityGroups()).filter(({ groupId }) => ours.has(groupId));
      expect(groups).toHaveLength(ours.size);
      const inbound = groups.flatMap(({ ipPermissions }) => ipPermissions);
      expect(inbound.length).toBeGreaterThan(0);
      expect(new Set(inbound.flatMap(({ ipRanges }) => ipRanges.map(({ cidrIp }) => cidrIp)))).toEqual(
        new Set(["10.92.0.0/16"]),
      );
    });

    it("gives gateway and proxy roles that exist, and the size that is paid for", async () => {
      const roles = made("AWS::IAM::Role").map((name) => `arn:aws:iam::${accountId}:role/${name}`);
      for (const arn of made("AWS::ECS::TaskDefinition")) {
        const { cpu, memory, networkMode, taskRoleArn, executionRoleArn } =
          (await readBack(theEndpoint()).taskDefinition(arn)) ?? {};
        expect({ cpu, memory, networkMode }).toEqual({ cpu: "256", memory: "512", networkMode: "awsvpc" });
        expect(roles).toContain(taskRoleArn);
        expect(roles).toContain(executionRoleArn);
      }
    });

    it.each([
      ["authorizer", environment.authorizerEnvSchema],
      ["api-read", environment.apiReadEnvSchema],
      ["api-lifecycle", environment.apiLifecycleEnvSchema],
      ["task-events", environment.taskEventsEnvSchema],
      ["sweeper", environment.taskEventsEnvSchema],
      ["pool", environment.poolEnvSchema],
      ["bridge", environment.bridgeEnvSchema],
      ["janitor", environment.janitorEnvSchema],
      ["bootstrap", environment.bootstrapEnvSchema],
    ])("tells %s all that it reads, each reference by what it refers to", async (name, schema) => {
      const variables = await readBack(theEndpoint()).environmentOf(`bulkhead-${name}`);
      const read: Readonly<Record<string, unknown>> = schema.parse({ AWS_REGION: region, ...variables });
      if ("BULKHEAD_TABLE" in read) expect(read["BULKHEAD_TABLE"]).toBe(theOnly("AWS::DynamoDB::Table"));
      const madeUp = [...JSON.stringify(read).matchAll(/stand-in-(\w+?)[0-9A-F]{8}\b/g)].map(([, id]) => id);
      expect(madeUp.sort()).toEqual(name === "pool" ? toldByFunctions : []);
    });
  });
});
