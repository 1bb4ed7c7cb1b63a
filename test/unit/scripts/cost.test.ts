import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { makeBill, overBudget } from "../../../scripts/cost/bill.ts";
import { readPriceTable } from "../../../scripts/cost/price-table.ts";
import { grouped } from "../../../scripts/cost/report.ts";
import { runsPerMonth } from "../../../scripts/cost/rules/events.ts";
import { fargateSize, priceSandboxes, readPool } from "../../../scripts/cost/sandbox-price.ts";
import { parseTemplate, readAssembly } from "../../../scripts/cost/template.ts";

const table = readPriceTable();
const none = { customMetrics: 0 };

function bill(resources: Record<string, { Type: string; Properties?: Record<string, unknown> }>, extra = none) {
  return makeBill([parseTemplate("a-stack", { Resources: resources })], table, extra);
}

function taskDefinition(cpu: string, memory: string, architecture: "ARM64" | "X86_64") {
  const RuntimePlatform = { CpuArchitecture: architecture };
  return { Type: "AWS::ECS::TaskDefinition", Properties: { Cpu: cpu, Memory: memory, RuntimePlatform } };
}

function service(properties: Record<string, unknown>, publicIp: "ENABLED" | "DISABLED" = "DISABLED") {
  const NetworkConfiguration = { AwsvpcConfiguration: { AssignPublicIp: publicIp } };
  return {
    Type: "AWS::ECS::Service",
    Properties: { TaskDefinition: { Ref: "Task" }, NetworkConfiguration, ...properties },
  };
}

describe("the idle bill", () => {
  it("refuses a resource type that the table does not know, and names every one", () => {
    const make = () =>
      bill({
        Cache: { Type: "AWS::ElastiCache::ReplicationGroup" },
        Role: { Type: "AWS::IAM::Role" },
        Firewall: { Type: "AWS::NetworkFirewall::Firewall" },
      });
    expect(make).toThrow(/2 resources have no price/);
    expect(make).toThrow(/a-stack\/Cache: AWS::ElastiCache::ReplicationGroup is not in the price table/);
    expect(make).toThrow(/a-stack\/Firewall/);
  });

  it("counts an interface endpoint by its zones and a gateway endpoint not at all", () => {
    const { lines, usdPerMonth } = bill({
      Ecr: {
        Type: "AWS::EC2::VPCEndpoint",
        Properties: {
          VpcEndpointType: "Interface",
          ServiceName: { "Fn::Join": ["", ["com.amazonaws.", { Ref: "AWS::Region" }, ".ecr.dkr"]] },
          SubnetIds: [{ Ref: "A" }, { Ref: "B" }],
        },
      },
      S3: { Type: "AWS::EC2::VPCEndpoint", Properties: { VpcEndpointType: "Gateway", ServiceName: "s3" } },
    });
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatchObject({ quantity: 2, what: "interface endpoint ecr.dkr" });
    expect(usdPerMonth).toBeCloseTo(2 * 730 * 0.01, 6);
  });

  it("refuses an interface endpoint whose zones it cannot count", () => {
    const Properties = { VpcEndpointType: "Interface", ServiceName: "x", SubnetIds: { "Fn::Split": [",", "x"] } };
    expect(() => bill({ Ecr: { Type: "AWS::EC2::VPCEndpoint", Properties } })).toThrow(/a-stack\/Ecr/);
  });

  it("prices a service by its tasks, its architecture, its public addresses and its autoscaling minimum", () => {
    const { lines } = bill({
      Task: taskDefinition("256", "512", "ARM64"),
      Gateway: service({ DesiredCount: 1, LaunchType: "FARGATE" }, "ENABLED"),
      Target: {
        Type: "AWS::ApplicationAutoScaling::ScalableTarget",
        Properties: {
          MinCapacity: 2,
          MaxCapacity: 6,
          ServiceNamespace: "ecs",
          ResourceId: { "Fn::Join": ["", ["service/x/", { "Fn::GetAtt": ["Gateway", "Name"] }]] },
        },
      },
    });
    const hour = 0.25 * 0.03238 + 0.5 * 0.00356;
    expect(lines.map(({ quantity }) => quantity)).toEqual([2, 2]);
    expect(lines[0]?.usdPerMonth).toBeCloseTo(2 * 730 * hour, 6);
    expect(lines[1]?.usdPerMonth).toBeCloseTo(2 * 730 * 0.005, 6);
  });

  it("gives the Spot price only to a service whose every task is Spot", () => {
    const strategy = (...providers: string[]) => ({
      DesiredCount: 1,
      CapacityProviderStrategy: providers.map((CapacityProvider) => ({ CapacityProvider, Weight: 1 })),
    });
    const Task = taskDefinition("1024", "2048", "X86_64");
    const spot = bill({ Task, Service: service(strategy("FARGATE_SPOT")) }).usdPerMonth;
    const mixed = bill({ Task, Service: service(strategy("FARGATE_SPOT", "FARGATE")) }).usdPerMonth;
    expect(mixed).toBeCloseTo(730 * (0.04048 + 2 * 0.004445), 6);
    expect(spot).toBeCloseTo(mixed * 0.3, 6);
    expect(() => bill({ Task, Service: service({ DesiredCount: 1 }) })).toThrow(/spot or not/);
  });

  it("refuses settings that cost more than the rule knows", () => {
    const insights = { ClusterSettings: [{ Name: "containerInsights", Value: "enhanced" }] };
    expect(() => bill({ C: { Type: "AWS::ECS::Cluster", Properties: insights } })).toThrow(/containerInsights/);
    expect(() => bill({ S: { Type: "AWS::ApiGateway::Stage", Properties: { CacheClusterEnabled: true } } })).toThrow();
    expect(() => bill({ T: { Type: "AWS::DynamoDB::Table", Properties: {} } })).toThrow(/provisioned/);
    expect(() => bill({ A: { Type: "AWS::Lambda::Alias", Properties: { ProvisionedConcurrencyConfig: {} } } })).toThrow(
      /provisioned concurrency/,
    );
  });

  it("counts addresses of a load balancer only where it faces the internet", () => {
    const balancer = (Scheme: string) => ({
      Type: "AWS::ElasticLoadBalancingV2::LoadBalancer",
      Properties: { Type: "application", Scheme, Subnets: [{ Ref: "A" }, { Ref: "B" }] },
    });
    expect(bill({ Alb: balancer("internal") }).usdPerMonth).toBeCloseTo(730 * 0.0225, 6);
    expect(bill({ Alb: balancer("internet-facing") }).usdPerMonth).toBeCloseTo(730 * (0.0225 + 2 * 0.005), 6);
  });

  it("takes CloudWatch's free tier off, and never more than was used", () => {
    const alarms = Object.fromEntries(
      Array.from({ length: 13 }, (_, index) => [`A${index}`, { Type: "AWS::CloudWatch::Alarm" }]),
    );
    expect(bill(alarms).usdPerMonth).toBeCloseTo(0.3, 6);
    expect(bill({ A: { Type: "AWS::CloudWatch::Alarm" } }).usdPerMonth).toBeCloseTo(0, 6);
    const filter = { Type: "AWS::Logs::MetricFilter", Properties: { MetricTransformations: [{}, {}, {}, {}] } };
    // Of the functions' thirteen the eight that are written while nobody calls, and a filter's four: two more than are free.
    expect(bill({ filter }, { customMetrics: 13 }).usdPerMonth).toBeCloseTo(0.6, 6);
  });

  it("prices a schedule by the memory of the function it runs", () => {
    const { lines } = bill({
      Sweeper: { Type: "AWS::Lambda::Function", Properties: { MemorySize: 512 } },
      Each: {
        Type: "AWS::Events::Rule",
        Properties: {
          ScheduleExpression: "rate(1 minute)",
          Targets: [{ Id: "t", Arn: { "Fn::GetAtt": ["Sweeper", "Arn"] } }],
        },
      },
    });
    const seconds = table.assumptions["lambda.seconds"]?.value ?? 0;
    expect(lines[0]).toMatchObject({ quantity: 43_800, assumption: "lambda.seconds" });
    expect(lines[0]?.usdPerMonth).toBeCloseTo(43_800 * (0.2e-6 + seconds * 0.5 * 0.0000133334), 6);
    expect(runsPerMonth("rate(1 hour)", 730)).toBe(730);
    expect(() => runsPerMonth("cron(0 * * * ? *)", 730)).toThrow(/cannot be counted/);
  });

  it("prices data events of a trail, and a trail of management events alone not at all", () => {
    const trail = (Properties: Record<string, unknown>) => bill({ T: { Type: "AWS::CloudTrail::Trail", Properties } });
    const millions = table.assumptions["trail.events"]?.value ?? 0;
    expect(trail({ AdvancedEventSelectors: [{}] }).usdPerMonth).toBeCloseTo(millions * 10 * 0.1, 6);
    expect(trail({}).lines).toEqual([]);
  });

  it("counts an alarm on metric math by the metrics it reads", () => {
    const Metrics = [{ Id: "e", Expression: "a/b" }, ...["a", "b"].map((Id) => ({ Id, MetricStat: { Stat: "Sum" } }))];
    const { lines } = bill({ A: { Type: "AWS::CloudWatch::Alarm", Properties: { Metrics } } });
    expect(lines[0]).toMatchObject({ what: "alarm", quantity: 2 });
  });

  it("adds lines of the same thing up, the dearest first", () => {
    const secret = { Type: "AWS::SecretsManager::Secret" };
    const { lines } = bill({ One: secret, Two: secret, Key: { Type: "AWS::KMS::Key" } });
    expect(grouped(lines).map(({ what, quantity }) => [what, quantity])).toEqual([
      ["KMS key", 1],
      ["secret", 2],
      ["KMS requests", 4],
    ]);
  });

  it("says which lines put a bill over its budget, and nothing when it is within", () => {
    const gateways = bill({ N1: { Type: "AWS::EC2::NatGateway" }, N2: { Type: "AWS::EC2::NatGateway" } });
    expect(overBudget("dev", gateways, 50)).toMatch(/dev: \$65\.70 .* over its budget of \$50.*NAT gateway/);
    expect(overBudget("dev", gateways, 70)).toBeUndefined();
  });
});

describe("the price table", () => {
  it("has a rule behind every rule it names, and a price behind every price", () => {
    // A bill over one resource of each type: a missing rule or price throws another error than a missing property.
    for (const [type, known] of Object.entries(table.resources)) {
      if ("free" in known) continue;
      const make = () => bill({ It: { Type: type } });
      try {
        make();
      } catch (thrown) {
        expect(String(thrown), type).not.toMatch(/does not exist|the price table has no/);
      }
    }
  });
});

describe("what a sandbox costs", () => {
  it("takes the smallest size that Fargate sells", () => {
    expect(fargateSize(1, 512)).toEqual({ vcpu: 1, memoryGb: 2 });
    expect(fargateSize(0.25, 3000)).toEqual({ vcpu: 0.5, memoryGb: 3 });
    expect(fargateSize(8, 17_000)).toEqual({ vcpu: 8, memoryGb: 20 });
    expect(() => fargateSize(32, 1024)).toThrow(/no size/);
  });

  it("prices hours and warm instances of what the functions are told to hold", () => {
    const template = parseTemplate("platform", {
      Resources: {
        Pool: {
          Type: "AWS::Lambda::Function",
          Properties: { Environment: { Variables: { BULKHEAD_SETTINGS: '{"pool":{"base":2}}' } } },
        },
      },
    });
    const [base, other] = priceSandboxes(
      [
        { template: "base", vcpu: 1, memoryMb: 2048 },
        { template: "other", vcpu: 2, memoryMb: 4096 },
      ],
      readPool([template]),
      table,
    );
    expect(base).toMatchObject({ warm: 2, fargate: { vcpu: 1, memoryGb: 2 } });
    expect(base?.usdPerHour).toBeCloseTo(0.0395, 6);
    expect(base?.usdPerWarmMonth).toBeCloseTo(0.0395 * 730, 6);
    expect(other?.warm).toBe(0);
  });
});

describe("a cloud assembly", () => {
  it("is read stack by stack, and an empty directory is refused", async () => {
    const directory = await mkdtemp(join(tmpdir(), "bulkhead-assembly-"));
    try {
      expect(() => readAssembly(directory)).toThrow(/manifest\.json/);
      const artifacts = {
        "one.assets": { type: "cdk:asset-manifest", properties: {} },
        one: { type: "aws:cloudformation:stack", displayName: "one", properties: { templateFile: "one.json" } },
      };
      await writeFile(join(directory, "manifest.json"), JSON.stringify({ artifacts }));
      await writeFile(join(directory, "one.json"), JSON.stringify({ Resources: { K: { Type: "AWS::KMS::Key" } } }));
      const [stack] = readAssembly(directory);
      expect(stack).toMatchObject({ stack: "one", resources: { K: { Type: "AWS::KMS::Key" } } });
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });
});
