import { readFileSync } from "node:fs";
import { Template } from "aws-cdk-lib/assertions";
import { describe, expect, it } from "vitest";
import { metricDimension, metricNamespace, metricUnits } from "#telemetry/metrics.ts";
import { deployment } from "./support/deployment.ts";
import { unacknowledgedFindings } from "./support/nag.ts";
import {
  actionsOf,
  conditionOf,
  flat,
  type Properties,
  resourcesOf,
  statementsOf,
  theResource,
} from "./support/resources.ts";

const dev = deployment({ alarmEmail: "ops@example.com" });
const prod = deployment({ profile: "prod" });
const templates = { dev: Template.fromStack(dev.stack), prod: Template.fromStack(prod.stack) };
type Profile = keyof typeof templates;

interface Watched {
  readonly Namespace?: string;
  readonly MetricName?: string;
  readonly Dimensions?: readonly { Name: string; Value: unknown }[];
  readonly Statistic?: string;
  readonly Period?: number;
}

const alarmsOf = (profile: Profile): Properties[] =>
  resourcesOf(templates[profile], "AWS::CloudWatch::Alarm").map(({ properties }) => properties);
const namesOf = (profile: Profile) => alarmsOf(profile).map((alarm) => String(alarm["AlarmName"]));

function alarm(profile: Profile, name: string): Properties {
  const found = alarmsOf(profile).find((one) => one["AlarmName"] === `bulkhead-${name}`);
  if (found === undefined) throw new Error(`no alarm ${name}`);
  return found;
}

/** What an alarm looks at, one metric or several. */
function watchedBy(properties: Properties): Watched[] {
  const several = properties["Metrics"] as { MetricStat?: Stated }[] | undefined;
  if (several === undefined) return [properties];
  return several.flatMap(({ MetricStat }) =>
    MetricStat === undefined ? [] : [{ ...MetricStat.Metric, Statistic: MetricStat.Stat, Period: MetricStat.Period }],
  );
}

interface Stated {
  readonly Metric: Watched;
  readonly Stat: string;
  readonly Period: number;
}

describe("alarms", () => {
  it("are there for what the runbook knows", () => {
    expect(
      namesOf("prod")
        .map((name) => name.replace("bulkhead-", ""))
        .sort(),
    ).toEqual([
      "api-errors",
      "api-latency",
      "capacity",
      "create-latency",
      "dead-letters",
      "decoy-used",
      "egress-denials",
      "file-system-load",
      "gateway-unhealthy",
      "key-age",
      "key-dead-used",
      "key-overdue",
      "launch-failures",
      "leaked-instances",
      "pool-exhausted",
      "proxy-unhealthy",
      "refused-auth",
      "sweeper-failures",
      "throttled-functions",
    ]);
  });

  it("do not speak of a pool where there is none", () => {
    expect(namesOf("dev")).not.toContain("bulkhead-pool-exhausted");
    expect(namesOf("dev")).not.toContain("bulkhead-create-latency");
    expect(namesOf("dev")).toHaveLength(namesOf("prod").length - 2);
  });

  it("cost little: CloudWatch charges each metric that an alarm looks at", () => {
    expect(alarmsOf("prod").flatMap(watchedBy).length).toBeLessThanOrEqual(25);
  });

  it("each link a section that the runbook has", () => {
    const sectionsOf = (page: string) =>
      [...readFileSync(page, "utf8").matchAll(/^#+ (.+)$/gm)].map(([, title = ""]) =>
        title.toLowerCase().replaceAll(" ", "-"),
      );
    for (const properties of alarmsOf("prod")) {
      const found = /(docs\/(?:aws-operations|runbooks)\.md)#([a-z-]+)$/.exec(String(properties["AlarmDescription"]));
      const [, page = "", anchor] = found ?? [];
      expect(sectionsOf(page), String(properties["AlarmName"])).toContain(anchor);
    }
  });

  it("tell the topic when they begin and when they are over", () => {
    const topic = { Ref: theResource(templates.prod, "AWS::SNS::Topic").id };
    for (const properties of alarmsOf("prod")) {
      expect(properties["AlarmActions"]).toEqual([topic]);
      expect(properties["OKActions"]).toEqual([topic]);
    }
  });

  it("look at metrics that the platform writes, of this deployment", () => {
    const own = alarmsOf("prod")
      .flatMap(watchedBy)
      .filter(({ Namespace }) => Namespace === metricNamespace);
    expect(own.length).toBeGreaterThan(5);
    for (const { MetricName, Dimensions } of own) {
      expect(Object.keys(metricUnits)).toContain(MetricName);
      expect(Dimensions).toEqual([{ Name: metricDimension, Value: "bulkhead" }]);
    }
  });

  it("ring when sweeps fall silent, and when too few tasks answer or none reports", () => {
    expect(alarm("prod", "sweeper-failures")).toMatchObject({ TreatMissingData: "breaching", EvaluationPeriods: 3 });
    for (const name of ["gateway-unhealthy", "proxy-unhealthy"]) {
      const below = { ComparisonOperator: "LessThanThreshold", TreatMissingData: "breaching", EvaluationPeriods: 5 };
      expect(alarm("prod", name)).toMatchObject({ ...below, Threshold: 2 });
      expect(alarm("dev", name)).toMatchObject({ ...below, Threshold: 1 });
    }
    // The number of reports is the number of tasks.
    expect(watchedBy(alarm("prod", "proxy-unhealthy"))).toMatchObject([
      { MetricName: "CPUUtilization", Statistic: "SampleCount", Period: 60 },
    ]);
    expect(watchedBy(alarm("prod", "gateway-unhealthy"))).toMatchObject([
      { MetricName: "HealthyHostCount", Statistic: "Minimum", Period: 60 },
    ]);
  });

  it("ring for a key older than 90 days", () => {
    expect(alarm("dev", "key-age")).toMatchObject({ Threshold: 90, ComparisonOperator: "GreaterThanThreshold" });
    expect(watchedBy(alarm("dev", "key-age"))).toMatchObject([
      { MetricName: "OldestKeyAgeDays", Statistic: "Maximum", Period: 86_400 },
    ]);
  });

  it("count both doors and both queues", () => {
    const doors = watchedBy(alarm("dev", "api-errors"));
    expect(doors.map(({ MetricName }) => MetricName)).toEqual(["5XXError", "5XXError"]);
    expect(new Set(doors.map(({ Dimensions }) => flat(Dimensions?.[0]?.Value)))).toEqual(
      new Set(["bulkhead-key", "bulkhead-iam"]),
    );
    const queues = watchedBy(alarm("dev", "dead-letters"));
    expect(new Set(queues.map(({ Dimensions }) => flat(Dimensions?.[0]?.Value))).size).toBe(2);
    expect(alarm("dev", "dead-letters")).toMatchObject({ Threshold: 1 });
  });
});

describe("the topic", () => {
  it("is encrypted with the deployment's key, asks for TLS and lets this account's alarms publish", () => {
    const topic = theResource(templates.dev, "AWS::SNS::Topic");
    expect(topic.properties["KmsMasterKeyId"]).toEqual(dev.stack.resolve(dev.state.keys.data.keyArn));
    const statements = statementsOf(theResource(templates.dev, "AWS::SNS::TopicPolicy").properties["PolicyDocument"]);
    const denied = statements.find(({ Effect }) => Effect === "Deny");
    expect(conditionOf(denied, "Bool", "aws:SecureTransport")).toBe("false");
    const allowed = statements.filter(({ Effect }) => Effect === "Allow");
    expect(allowed.flatMap(actionsOf)).toEqual(["sns:Publish"]);
    expect(allowed.map(({ Principal }) => Principal)).toEqual([{ Service: "cloudwatch.amazonaws.com" }]);
    expect(conditionOf(allowed[0], "StringEquals", "aws:SourceAccount")).toBe(`\${AWS::AccountId}`);
  });

  it("has a key that alarms may use: without it they fall silent", () => {
    const keys = resourcesOf(Template.fromStack(dev.state), "AWS::KMS::Key");
    const forAlarms = keys
      .flatMap(({ properties }) => statementsOf(properties["KeyPolicy"]))
      .filter(({ Principal }) => JSON.stringify(Principal).includes("cloudwatch.amazonaws.com"));
    expect(forAlarms.flatMap(actionsOf).sort()).toEqual(["kms:Decrypt", "kms:GenerateDataKey"]);
  });

  it("is heard by the address of the configuration, if there is one", () => {
    templates.dev.hasResourceProperties("AWS::SNS::Subscription", { Protocol: "email", Endpoint: "ops@example.com" });
    templates.prod.resourceCountIs("AWS::SNS::Subscription", 0);
  });
});

describe("the dashboard", () => {
  const { properties } = theResource(templates.prod, "AWS::CloudWatch::Dashboard");
  const body = flat(properties["DashboardBody"]);

  it("is one, named by deployment and region", () => {
    templates.prod.resourceCountIs("AWS::CloudWatch::Dashboard", 1);
    expect(flat(properties["DashboardName"])).toBe(`bulkhead-\${AWS::Region}`);
  });

  it("shows every alarm and every metric of the platform but the age of keys", () => {
    for (const { id } of resourcesOf(templates.prod, "AWS::CloudWatch::Alarm")) expect(body).toContain(`\${${id}.Arn}`);
    for (const name of Object.keys(metricUnits).filter((name) => name !== "OldestKeyAgeDays")) {
      expect(body).toContain(`"${metricNamespace}","${name}"`);
    }
  });

  it("stays below CloudWatch's limit of 500 widgets", () => {
    expect(body.match(/"type":/g)?.length ?? 0).toBeGreaterThan(20);
    expect(body.match(/"type":/g)?.length ?? 0).toBeLessThan(500);
  });
});

describe("cdk-nag", () => {
  it.each([dev, prod])("finds nothing without a reason", ({ stack }) => {
    expect(unacknowledgedFindings(stack.platform.monitoring)).toEqual([]);
  });
});
