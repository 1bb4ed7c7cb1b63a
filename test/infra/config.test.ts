import { describe, expect, it } from "vitest";
import { parseDeploymentConfig, settingsOf } from "../../infra/config.ts";
import { settingsSchema } from "../../lambdas/environment.ts";

describe("deployment configuration", () => {
  it("is dev unless told otherwise: one zone, no warm pool, nothing kept", () => {
    expect(parseDeploymentConfig({})).toMatchObject({
      deployment: "bulkhead",
      profile: "dev",
      availabilityZones: 1,
      gatewayTasks: 1,
      proxyTasks: 1,
      edgeSpot: true,
      pool: {},
      retainData: false,
      deletionProtection: false,
      idleTimeoutSeconds: 3600,
      maxLifetimeSeconds: 86_400,
      createWaitMs: 20_000,
      launchesPerSecond: 15,
      launchBurst: 80,
    });
  });

  it("in prod has two of everything, a warm pool, and keeps data", () => {
    const config = parseDeploymentConfig({ profile: "prod" });
    expect(config).toMatchObject({
      availabilityZones: 2,
      gatewayTasks: 2,
      proxyTasks: 2,
      edgeSpot: false,
      retainData: true,
      deletionProtection: true,
    });
    expect(config.pool["base"]).toBeGreaterThan(0);
  });

  it("lets a context key override a profile, as text from the command line or as a value from cdk.json", () => {
    const text = { profile: "prod", gatewayTasks: "3", deletionProtection: "false", pool: '{"base":7}' };
    const values = { profile: "prod", gatewayTasks: 3, deletionProtection: false, pool: { base: 7 } };
    const expected = { gatewayTasks: 3, deletionProtection: false, pool: { base: 7 }, retainData: true };
    expect(parseDeploymentConfig(text)).toMatchObject(expected);
    expect(parseDeploymentConfig(text)).toEqual(parseDeploymentConfig(values));
  });

  it("takes two zones of one region, as text or as a list", () => {
    const zones = ["us-east-1a", "us-east-1d"];
    expect(parseDeploymentConfig({ zones: "us-east-1a, us-east-1d" }).zones).toEqual(zones);
    expect(parseDeploymentConfig({ zones }).zones).toEqual(zones);
    for (const bad of ["us-east-1a", "us-east-1a,us-east-1a", "us-east-1a,eu-west-1b", "use1-az1,use1-az2", "a,b,c"]) {
      expect(() => parseDeploymentConfig({ zones: bad })).toThrow(/zone/);
    }
    const elsewhere = { zones: "us-east-1a,us-east-1d", account: "123456789012", region: "eu-west-1" };
    expect(() => parseDeploymentConfig(elsewhere)).toThrow("zones are not in eu-west-1");
  });

  it("ignores CDK's own context", () => {
    expect(parseDeploymentConfig({ "@aws-cdk/core:checkSecretUsage": true })).toEqual(parseDeploymentConfig({}));
  });

  it("reports every bad value at once", () => {
    const bad = {
      deployment: "Not OK",
      profile: "staging",
      gatewayTasks: "none",
      waf: "perhaps",
      pool: "{",
      images: { base: "base:latest" },
      logRetentionDays: 6,
      alarmEmail: "nobody",
    };
    expect.assertions(Object.keys(bad).length);
    try {
      parseDeploymentConfig(bad);
    } catch (error) {
      for (const key of Object.keys(bad)) expect(String(error)).toContain(`at ${key}`);
    }
  });

  it.each([
    ["overlapping ranges", { sandboxCidr: "10.0.0.0/16", edgeCidr: "10.0.128.0/20" }, /overlap/],
    ["public ranges, which the egress proxy would let sandboxes reach", { sandboxCidr: "8.8.0.0/16" }, /private/],
    ["ranges with host bits", { sandboxCidr: "10.0.0.1/16" }, /aligned/],
    ["ranges that no VPC can have", { edgeCidr: "10.0.0.0/8" }, /16 to \/24/],
    ["a lifetime below the idle time", { idleTimeoutSeconds: 600, maxLifetimeSeconds: 300 }, /idleTimeoutSeconds/],
    ["a domain without a way to a certificate", { domain: "example.org" }, /hostedZoneId/],
    ["a zone without a domain", { hostedZoneId: "Z0123456789" }, /without domain/],
    ["half an environment", { region: "eu-central-1" }, /both or none/],
    ["more launches than Fargate starts", { launchesPerSecond: 21 }, /launchesPerSecond/],
    ["a wait that API Gateway would cut", { createWaitMs: 30_000 }, /createWaitMs/],
  ])("refuses %s", (_name, context, message) => {
    expect(() => parseDeploymentConfig(context)).toThrow(message);
  });

  it("gives the functions settings that their schema takes", () => {
    const settings = settingsOf(parseDeploymentConfig({ profile: "prod", defaultProject: "team" }));
    expect(settingsSchema.parse(JSON.parse(JSON.stringify(settings)))).toEqual(settings);
    expect(settings).toMatchObject({ defaultProject: "team", createWaitMs: 20_000, quotaPerProject: 200 });
  });

  it("takes a network policy as callers write it, and tells the functions", () => {
    const network = { mode: "allow-list", rules: ["pypi.org", "*.pythonhosted.org:443"] };
    const config = parseDeploymentConfig({ network: JSON.stringify(network) });
    expect(config.network).toEqual({
      mode: "allow-list",
      rules: [{ host: "pypi.org" }, { host: "*.pythonhosted.org", ports: [443] }],
      env_secrets: true,
      aws: [],
    });
    expect(settingsSchema.parse(JSON.parse(JSON.stringify(settingsOf(config)))).network).toEqual(config.network);
    expect(settingsOf(parseDeploymentConfig({}))).not.toHaveProperty("network");
  });

  it.each([
    ["a mode that does not exist", { network: { mode: "closed" } }],
    [
      "a policy that no function's environment holds",
      { network: { mode: "allow-list", rules: Array.from({ length: 90 }, (_, n) => `host-${n}.example.com`) } },
    ],
    ["a statement without an action", { sandboxAccess: [{ Resource: "*" }] }],
    ["an account that is none", { sandboxAccessAccounts: ["mine"] }],
  ])("refuses %s", (_, context) => {
    expect(() => parseDeploymentConfig(context)).toThrow(/Bad CDK context/);
  });
});
