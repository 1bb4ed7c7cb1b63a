import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { makeFargateCompute } from "#aws/compute/fargate-compute.ts";
import { uidOf } from "#aws/compute/names.ts";
import type { Compute } from "#core/ports.ts";
import { type AwsFake, type Fault, startAwsFake } from "#test/support/aws-fake/aws-fake.ts";
import { taskDefinitionSchema } from "#test/support/aws-fake/ecs-schemas.ts";
import { fargateDeps } from "#test/support/aws-fake/fargate-world.ts";
import { pace } from "#test/support/aws-fake/state.ts";
import { aTemplate } from "#test/support/fixtures.ts";
import { aLaunch, instanceId } from "./compute.suite.ts";

let fake: AwsFake;
let deps: ReturnType<typeof fargateDeps>;
let compute: Compute;

beforeEach(async () => {
  fake = await startAwsFake();
  deps = fargateDeps(fake);
  compute = makeFargateCompute(deps);
});
afterEach(() => fake.stop());

const operations = () => fake.calls.map((call) => call.operation);
const broken: Fault = { code: "ServerException", status: 500 };

/** In the order of a launch. */
const steps = [
  "CreateSecurityGroup",
  "CreateAccessPoint",
  "DescribeAccessPoints",
  "RevokeSecurityGroupEgress",
  "AuthorizeSecurityGroupIngress",
  "AuthorizeSecurityGroupEgress",
  "RegisterTaskDefinition",
  "RunTask",
];

function definition() {
  const [made] = fake.state.taskDefinitions;
  return taskDefinitionSchema.parse(made?.input);
}

describe("a launch on Fargate", () => {
  it("takes each step once, and waits for the access point and for the group to be known", async () => {
    await compute.launch(aLaunch());
    const count = (step: string) => operations().filter((name) => name === step).length;
    const waited = ["DescribeAccessPoints", "RevokeSecurityGroupEgress"];
    for (const step of waited) expect(count(step)).toBeLessThanOrEqual(4);
    const others = steps.filter((step) => !waited.includes(step));
    expect(
      operations()
        .filter((name) => !waited.includes(name))
        .sort(),
    ).toEqual(others.sort());
  });

  it("closes the group before anything uses it: in from gateway and bridge, out to four places", async () => {
    await compute.launch(aLaunch());
    const revoked = operations().indexOf("RevokeSecurityGroupEgress");
    expect(revoked).toBeGreaterThan(operations().indexOf("CreateSecurityGroup"));
    for (const later of ["AuthorizeSecurityGroupIngress", "AuthorizeSecurityGroupEgress", "RunTask"]) {
      expect(operations().indexOf(later)).toBeGreaterThan(revoked);
    }
    const task = fake.taskOf(instanceId(1));
    expect(task.securityGroups).toHaveLength(1);
    const group = fake.state.securityGroups.get(task.securityGroups[0] ?? "");
    const rule = (direction: "in" | "out", peer: string, port: number) => ({
      ...{ direction, peer, protocol: "tcp", from: port, to: port },
    });
    expect(group?.rules).toEqual([
      rule("in", "sg-gateway", 7777),
      rule("in", "sg-bridge", 7777),
      rule("out", "sg-proxy", 3128),
      rule("out", "sg-files", 2049),
      rule("out", "sg-endpoints", 443),
      rule("out", "pl-s3", 443),
    ]);
  });

  it("does not go on with a group that may let everything out", async () => {
    fake.fail("RevokeSecurityGroupEgress", { code: "InvalidPermission.NotFound" });
    await expect(compute.launch(aLaunch())).rejects.toMatchObject({ code: "INTERNAL_ERROR" });
    for (const later of ["AuthorizeSecurityGroupEgress", "RunTask"]) expect(operations()).not.toContain(later);
    expect(operations().filter((name) => name === "RevokeSecurityGroupEgress").length).toBeGreaterThan(5);
    expect(fake.left()).toEqual([]);
  });

  it("takes a default rule that is gone for revoked: the first answer was lost", async () => {
    fake.fail("RevokeSecurityGroupEgress", { code: "InternalError", status: 500, after: true, times: 2 });
    const patient = makeFargateCompute({ ...deps, clients: fargateDeps(fake, 3).clients });
    await patient.launch(aLaunch());
    const group = fake.state.securityGroups.get(fake.taskOf(instanceId(1)).securityGroups[0] ?? "");
    expect(group?.rules.filter((rule) => rule.protocol !== "tcp")).toEqual([]);
  });

  it("registers a definition without role, secret, log driver or capability that the agent does not need", async () => {
    await compute.launch(aLaunch(1, { template: aTemplate({ features: ["rich-output"] }) }));
    const made = definition();
    // The fake's schema is strict: taskRoleArn, secrets, logConfiguration, privileged and the like would have been refused.
    expect(Object.keys(made)).not.toContain("taskRoleArn");
    const [agent, ...others] = made.containerDefinitions;
    expect(others).toEqual([]);
    expect(agent).toMatchObject({
      readonlyRootFilesystem: true,
      user: "0",
      linuxParameters: { initProcessEnabled: true },
    });
    const granted = [
      ...["AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "NET_RAW"],
      ...["SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"],
    ];
    const dropped: readonly string[] = agent?.linuxParameters.capabilities.drop ?? [];
    const kept = granted.filter((name) => !dropped.includes(name));
    expect(kept).toEqual(["CHOWN", "DAC_OVERRIDE", "FOWNER", "KILL", "SETGID", "SETUID"]);
    const environment = Object.fromEntries((agent?.environment ?? []).map(({ name, value }) => [name, value]));
    expect(environment).toEqual({
      BULKHEAD_INSTANCE_ID: instanceId(1),
      BULKHEAD_TEMPLATE: "base",
      BULKHEAD_FEATURES: '["rich-output"]',
      BULKHEAD_AGENT_PORT: "7777",
      BULKHEAD_AGENT_TLS: "1",
      BULKHEAD_AGENT_CALLERS: "remote",
      BULKHEAD_USER_UID: String(uidOf(instanceId(1))),
      BULKHEAD_USER_GID: String(uidOf(instanceId(1))),
      BULKHEAD_USER_PROCESSES: "512",
      BULKHEAD_DISK_QUOTA_MB: "1024",
      BULKHEAD_EGRESS_ADDRESS: "egress.bh.internal:3128",
    });
  });

  it("tells the instance which CA the egress proxy shows", async () => {
    const trusting = makeFargateCompute({ ...deps, egressCa: async () => "-----BEGIN CERTIFICATE-----" });
    await trusting.launch(aLaunch());
    const [agent] = definition().containerDefinitions;
    expect(agent?.environment).toContainEqual({ name: "BULKHEAD_CA_PEM", value: "-----BEGIN CERTIFICATE-----" });
  });

  it("mounts the instance's own access point, whose uid runs the user's code, encrypted in transit", async () => {
    await compute.launch(aLaunch());
    const [point] = fake.state.accessPoints.values();
    const [agent] = definition().containerDefinitions;
    expect(uidOf(instanceId(1))).toBeGreaterThanOrEqual(20_000);
    expect(uidOf(instanceId(1))).toBeLessThan(60_000);
    const uid = Number(agent?.environment.find(({ name }) => name === "BULKHEAD_USER_UID")?.value);
    expect(point).toMatchObject({
      posixUser: { Uid: uid, Gid: uid },
      rootDirectory: {
        Path: `/instances/${instanceId(1)}`,
        CreationInfo: { OwnerUid: uid, OwnerGid: uid, Permissions: "0700" },
      },
    });
    const own = { accessPointId: point?.id, iam: "DISABLED" };
    expect(definition().volumes[0]).toMatchObject({
      efsVolumeConfiguration: { transitEncryption: "ENABLED", authorizationConfig: own },
    });
    expect(agent?.mountPoints.map((mount) => mount.containerPath)).toEqual([
      "/workspace",
      "/tmp",
      "/run/bulkhead",
      "/run/secrets",
      "/home/user",
    ]);
  });

  it("tags everything with deployment and instance", async () => {
    await compute.launch(aLaunch());
    const tags = [
      { key: "bulkhead:deployment", value: "bh" },
      { key: "bulkhead:instance", value: instanceId(1) },
    ];
    const task = fake.taskOf(instanceId(1));
    expect(task.tags).toEqual(tags);
    expect(fake.state.taskDefinitions[0]?.tags).toEqual(tags);
    expect([...fake.state.accessPoints.values()][0]?.tags).toEqual(tags);
    expect(fake.state.securityGroups.get(task.securityGroups[0] ?? "")?.tags).toEqual(tags);
  });

  it("asks for the disk that is more than free", async () => {
    await compute.launch(aLaunch(1, { resources: { vcpu: 2, memory_mb: 5000, disk_mb: 30 * 1024 } }));
    expect(definition()).toMatchObject({ cpu: "2048", memory: "5120", ephemeralStorage: { sizeInGiB: 30 } });
  });

  it("makes nothing for a template that has no image", async () => {
    const refused = compute.launch(aLaunch(1, { template: aTemplate({ name: "unknown" }) }));
    await expect(refused).rejects.toMatchObject({ code: "HOST_UNSUITABLE", retryable: false });
    expect(operations()).toEqual([]);
  });
});

describe("a launch that fails", () => {
  for (const step of steps) {
    it(`leaves nothing when ${step} fails`, async () => {
      fake.fail(step, { ...broken, times: 1 });
      await expect(compute.launch(aLaunch())).rejects.toMatchObject({ code: "SERVICE_UNAVAILABLE" });
      expect(operations()).toContain(step);
      fake.state.advance(pace.stopped + pace.released);
      expect(fake.left()).toEqual([]);
    });

    it(`leaves nothing when ${step} is done and its answer lost`, async () => {
      fake.fail(step, { code: "cut", after: true, times: 1 });
      await expect(compute.launch(aLaunch())).rejects.toMatchObject({ code: "SERVICE_UNAVAILABLE" });
      expect(fake.left()).toEqual([]);
    });
  }

  it("waits for both of two parallel steps before it takes them back", async () => {
    fake.fail("RevokeSecurityGroupEgress", { code: "UnauthorizedOperation", status: 403 });
    let over: () => void = () => {};
    const launchOver = new Promise<void>((resolve) => {
      over = resolve;
    });
    // Made when the launch is over already, or else after longer than it takes to come to its end without waiting.
    const late = Promise.race([launchOver, new Promise((resolve) => setTimeout(resolve, 500))]);
    fake.fail("CreateAccessPoint", { code: "", hold: late });
    await expect(compute.launch(aLaunch()).finally(over)).rejects.toMatchObject({ code: "INTERNAL_ERROR" });
    await late;
    await expect.poll(() => fake.calls.map((call) => call.operation)).toContain("CreateAccessPoint");
    expect(fake.left()).toEqual([]);
  });

  const noRoom: readonly [string, string, Fault][] = [
    ["RunTask is throttled", "RunTask", { code: "ThrottlingException", message: "Rate exceeded" }],
    [
      "the account's vCPUs are used up",
      "RunTask",
      {
        code: "ThrottlingException",
        message: "You've reached the limit on the number of vCPUs you can run concurrently",
      },
    ],
    [
      "Fargate has no capacity",
      "RunTask",
      { code: "ClientException", message: "Capacity is unavailable at this time. Please try again later" },
    ],
    [
      "a 200 holds nothing but failures",
      "RunTask",
      { code: "", answer: { tasks: [], failures: [{ reason: "RESOURCE:ENI" }] } },
    ],
    ["EC2 is throttled", "AuthorizeSecurityGroupEgress", { code: "RequestLimitExceeded", status: 503 }],
    ["EFS is throttled", "CreateAccessPoint", { code: "ThrottlingException", status: 429 }],
  ];
  for (const [title, operation, fault] of noRoom) {
    it(`answers CAPACITY_EXHAUSTED and leaves nothing when ${title}`, async () => {
      fake.fail(operation, fault);
      const failure = await compute.launch(aLaunch()).catch((thrown: unknown) => thrown);
      expect(failure).toMatchObject({ code: "CAPACITY_EXHAUSTED", retryable: true });
      expect(failure).toHaveProperty("details.retry_after_seconds", expect.any(Number));
      expect(fake.left()).toEqual([]);
    });
  }

  it("answers CAPACITY_EXHAUSTED at the quotas of security groups and access points", async () => {
    fake.state.limits.accessPoints = 0;
    await expect(compute.launch(aLaunch())).rejects.toMatchObject({ code: "CAPACITY_EXHAUSTED" });
    expect(fake.left()).toEqual([]);
    fake.state.limits.accessPoints = 9;
    fake.state.limits.securityGroups = 0;
    await expect(compute.launch(aLaunch())).rejects.toMatchObject({ code: "CAPACITY_EXHAUSTED" });
    expect(fake.left()).toEqual([]);
  });

  it("goes through when throttles pass, by the clients' own repetition", async () => {
    const patient = makeFargateCompute({ ...deps, clients: fargateDeps(fake, 3).clients });
    const throttled = ["CreateSecurityGroup", "CreateAccessPoint", "RunTask"];
    for (const step of throttled) fake.fail(step, { code: "ThrottlingException", times: 1 });
    await patient.launch(aLaunch());
    for (const step of throttled) expect(operations().filter((name) => name === step)).toHaveLength(2);
    expect(fake.taskOf(instanceId(1))).toBeDefined();
  });
});

describe("a launch that is repeated", () => {
  it("runs one task however often answers of RunTask are lost", async () => {
    const patient = makeFargateCompute({ ...deps, clients: fargateDeps(fake, 3).clients });
    fake.fail("RunTask", { code: "cut", after: true, times: 2 });
    await patient.launch(aLaunch());
    expect(operations().filter((name) => name === "RunTask")).toHaveLength(3);
    expect(fake.state.tasks).toHaveLength(1);
  });

  for (const step of steps.slice(1)) {
    it(`goes on where a launch was cut off at ${step}`, async () => {
      fake.fail(step, broken);
      for (const undo of ["DeleteSecurityGroup", "DeleteAccessPoint", "DeregisterTaskDefinition"])
        fake.fail(undo, broken);
      await expect(compute.launch(aLaunch())).rejects.toMatchObject({ code: "SERVICE_UNAVAILABLE" });
      expect(fake.left()).not.toEqual([]);
      fake.heal();
      await compute.launch(aLaunch());
      const task = fake.taskOf(instanceId(1));
      expect(fake.state.accessPoints.size).toBe(1);
      expect(fake.state.securityGroups.get(task.securityGroups[0] ?? "")?.rules).toHaveLength(6);
      expect(fake.state.taskDefinitions).toHaveLength(1);
    });
  }

  it("takes nothing back of what an earlier launch made when it fails itself", async () => {
    await compute.launch(aLaunch());
    const before = fake.left();
    // The first one's task is not listed yet.
    fake.fail("RunTask", { code: "ThrottlingException", times: 1 });
    await expect(compute.launch(aLaunch())).rejects.toMatchObject({ code: "CAPACITY_EXHAUSTED" });
    expect(fake.left()).toEqual(before);
  });

  it("starts no second task where the first has ended", async () => {
    await compute.launch(aLaunch());
    fake.state.advance(pace.running);
    fake.end(fake.taskOf(instanceId(1)), { code: "EssentialContainerExited", exitCode: 1 });
    fake.state.advance(pace.stopped + pace.released);
    await expect(compute.launch(aLaunch())).rejects.toMatchObject({ code: "CONFLICT", retryable: false });
    expect(fake.state.tasks).toHaveLength(1);
    await compute.stop(instanceId(1));
    expect(fake.left()).toEqual([]);
    await expect(compute.launch(aLaunch())).rejects.toMatchObject({ code: "CONFLICT" });
    expect(fake.left()).toEqual([]);
  });
});

describe("the requests", () => {
  it("name no value that a caller gave", async () => {
    await compute.launch(aLaunch());
    const run = fake.calls.find((call) => call.operation === "RunTask");
    const fields = Object.keys(z.record(z.string(), z.unknown()).parse(run?.body)).sort();
    // No overrides: nothing of a sandbox is known when an instance starts.
    expect(fields).toEqual([
      ...["clientToken", "cluster", "count", "enableExecuteCommand", "group", "launchType", "networkConfiguration"],
      ...["platformVersion", "startedBy", "tags", "taskDefinition"],
    ]);
    expect(run?.body).toMatchObject({ clientToken: instanceId(1), startedBy: instanceId(1) });
  });
});
