import { describe, expect, it } from "vitest";
import { isOwn } from "#agent/callers.ts";
import { readSettings } from "#agent/environment.ts";
import { egressTarget } from "#agent/relay.ts";
import { agentEnvSchema } from "#contracts/agent-control.ts";

const needed = { BULKHEAD_INSTANCE_ID: "i0123456789abcdef", BULKHEAD_TEMPLATE: "base" };

describe("settings of an agent in a container", () => {
  it("are read as their schema reads them", () => {
    const variables = {
      ...needed,
      BULKHEAD_AGENT_PORT: "7778",
      BULKHEAD_AGENT_TLS: "1",
      BULKHEAD_AGENT_CALLERS: "remote",
      BULKHEAD_USER_UID: "20001",
      BULKHEAD_USER_GID: "20001",
      BULKHEAD_DISK_QUOTA_MB: "1024",
      BULKHEAD_EGRESS_ADDRESS: "egress.bh.internal:3128",
      BULKHEAD_CA_FILE: "/etc/ssl/certs/bulkhead-egress.pem",
    };
    const { roots, features, base, ...settings } = readSettings(variables);
    const { BULKHEAD_ROOTS, BULKHEAD_FEATURES, ...expected } = agentEnvSchema.parse(variables);
    expect(settings).toEqual(expected);
    expect([JSON.stringify(roots), JSON.stringify(features), base]).toEqual([BULKHEAD_ROOTS, BULKHEAD_FEATURES, {}]);
  });

  it.each([
    ["BULKHEAD_AGENT_TLS", "true"],
    ["BULKHEAD_AGENT_TLS", "0"],
    ["BULKHEAD_AGENT_CALLERS", "all"],
    ["BULKHEAD_DISK_QUOTA_MB", "1GB"],
  ])("%s=%s is refused and not taken for nothing", (name, value) => {
    expect(() => readSettings({ ...needed, [name]: value })).toThrow(name);
    expect(agentEnvSchema.safeParse({ ...needed, [name]: value }).success).toBe(false);
  });

  it("hide from user code what the container service tells about the account, and nothing else", () => {
    const { base } = readSettings({
      ...needed,
      PATH: "/usr/bin",
      HOME: "/workspace",
      ECS_CONTAINER_METADATA_URI: "http://169.254.170.2/v3/x",
      ECS_CONTAINER_METADATA_URI_V4: "http://169.254.170.2/v4/x",
      ECS_AGENT_URI: "http://169.254.170.2/api/x",
      AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: "/v2/credentials/x",
      AWS_EXECUTION_ENV: "AWS_ECS_FARGATE",
      AWS_REGION: "eu-west-1",
      BULKHEAD_EGRESS_ADDRESS: "egress.bh.internal:3128",
      BULKHEAD_CA_FILE: "/etc/ssl/certs/bulkhead-egress.pem",
      MY_AWS_: "mine",
    });
    expect(base).toEqual({ PATH: "/usr/bin", HOME: "/workspace", MY_AWS_: "mine" });
  });
});

describe("the way out of an agent", () => {
  it("is its socket, else its address, else none", () => {
    const address = { BULKHEAD_EGRESS_ADDRESS: "egress.bh.internal:3128" };
    expect(egressTarget({ ...address, BULKHEAD_EGRESS_SOCKET: "/run/egress.sock" })).toEqual({
      path: "/run/egress.sock",
    });
    expect(egressTarget(address)).toEqual({ host: "egress.bh.internal", port: 3128 });
    expect(egressTarget({})).toBeUndefined();
  });

  it.each(["egress", "egress:", ":3128", "egress:http", "http://egress:3128", "a b:1"])("is never %j", (address) => {
    expect(() => egressTarget({ BULKHEAD_EGRESS_ADDRESS: address })).toThrow("host:port");
  });
});

describe("a call from the agent's own machine", () => {
  const own = ["127.0.0.1", "10.0.3.7", "169.254.172.2", "fe80::1"];

  it.each([
    ["127.0.0.1", true],
    ["127.9.9.9", true],
    ["::1", true],
    ["::ffff:127.0.0.1", true],
    ["10.0.3.7", true],
    ["::ffff:10.0.3.7", true],
    ["169.254.172.2", true],
    ["fe80::1%eth0", true],
    ["", true],
    ["10.0.3.8", false],
    ["::ffff:10.1.0.4", false],
    ["fe80::2%eth0", false],
  ])("%j: %s", (address, expected) => {
    expect(isOwn(address, own)).toBe(expected);
  });
});
