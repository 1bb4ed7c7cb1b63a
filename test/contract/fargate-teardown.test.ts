import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { makeFargateCompute } from "#aws/compute/fargate-compute.ts";
import { makeFargateTeardown, type TeardownDeps } from "#aws/compute/fargate-teardown.ts";
import { makeTaskStopper } from "#aws/compute/task-stopper.ts";
import { type AwsFake, startAwsFake } from "#test/support/aws-fake/aws-fake.ts";
import { fargateDeps } from "#test/support/aws-fake/fargate-world.ts";
import { pace, type Tag } from "#test/support/aws-fake/state.ts";
import { aLaunch, instanceId } from "./compute.suite.ts";

let fake: AwsFake;
let deps: ReturnType<typeof fargateDeps>;

beforeEach(async () => {
  fake = await startAwsFake();
  deps = fargateDeps(fake);
});
afterEach(() => fake.stop());

const operations = () => fake.calls.map((call) => call.operation);
const teardown = (changes: Partial<TeardownDeps> = {}) => makeFargateTeardown({ ...deps, ...changes });

/** An instance that has run and whose task has just stopped: its network interface is still there. */
async function stopped(number = 1): Promise<void> {
  await makeFargateCompute(deps).launch(aLaunch(number));
  fake.state.advance(pace.running);
  fake.end(fake.taskOf(instanceId(number)), { code: "EssentialContainerExited", exitCode: 81 });
  fake.state.advance(pace.stopped);
  fake.calls.length = 0;
}

describe("taking down an instance on Fargate", () => {
  it("asks a running task to stop, and leaves what its network interface holds", async () => {
    await makeFargateCompute(deps).launch(aLaunch());
    fake.state.advance(pace.running);
    fake.calls.length = 0;
    await teardown().stop(instanceId(1));
    expect(operations()).toEqual(["ListTasks", "DescribeTasks", "StopTask"]);
    fake.state.advance(pace.stopping);
    const gone = { instanceId: instanceId(1), providerId: "", state: "gone", endpoint: null };
    expect(await teardown().list()).toEqual([gone]);
    expect(await teardown().describe(instanceId(1))).toBeUndefined();
  });

  it("waits for the network interface, then takes the rest away", async () => {
    await stopped();
    await teardown().stop(instanceId(1));
    const deletions = operations().filter((name) => name === "DeleteSecurityGroup").length;
    expect(deletions).toBeGreaterThan(1);
    expect(fake.left()).toEqual([]);
  });

  it("gives up after a while with an error that asks for a repetition, which then succeeds", async () => {
    await stopped();
    fake.fail("DeleteSecurityGroup", { code: "DependencyViolation" });
    const began = deps.clock.now();
    const held = await teardown({ retryForMs: 9_000 })
      .stop(instanceId(1))
      .catch((thrown: unknown) => thrown);
    expect(held).toMatchObject({ code: "SERVICE_UNAVAILABLE", retryable: true });
    expect(held).toHaveProperty("details.retry_after_seconds", expect.any(Number));
    expect(deps.clock.now() - began).toBeLessThanOrEqual(9_000);
    expect((await teardown().list()).map((one) => one.state)).toEqual(["gone"]);
    fake.heal();
    await teardown().stop(instanceId(1));
    expect(fake.left()).toEqual([]);
  });

  it("stops a task that was not listed yet when it looked first", async () => {
    await makeFargateCompute(deps).launch(aLaunch());
    await teardown().stop(instanceId(1));
    expect(fake.state.tasks[0]?.stop).toMatchObject({ code: "UserInitiated" });
    fake.state.advance(pace.stopped + pace.released);
    await teardown().stop(instanceId(1));
    expect(fake.left()).toEqual([]);
  });

  it("removes files once nobody can write them any more, and before the access point that says whose they are", async () => {
    await stopped();
    const seen: unknown[] = [];
    const removeFiles = async (id: string) => {
      seen.push([id, fake.left().map((one) => one.split(" ").slice(0, 2).join(" "))]);
    };
    await teardown({ removeFiles }).stop(instanceId(1));
    expect(seen).toEqual([[instanceId(1), ["access point"]]]);
    await teardown({ removeFiles }).stop(instanceId(1));
    expect(seen).toHaveLength(1);
  });

  it("keeps the access point for the next attempt while its files are there", async () => {
    await stopped();
    const removeFiles = () => Promise.reject(new Error("the janitor is away"));
    await expect(teardown({ removeFiles }).stop(instanceId(1))).rejects.toThrow("the janitor is away");
    expect(fake.left()).toEqual([`access point ${instanceId(1)}`]);
    expect((await teardown().list()).map((one) => one.instanceId)).toEqual([instanceId(1)]);
    const { settings, region, clients, clock, logger } = deps;
    await makeFargateTeardown({ settings, region, clients, clock, logger }).stop(instanceId(1));
    expect(fake.left()).toEqual([`access point ${instanceId(1)}`]);
    await teardown().stop(instanceId(1));
    expect(fake.left()).toEqual([]);
  });

  it("deletes every revision of the family, ten at a time", async () => {
    await stopped();
    const [first] = fake.state.taskDefinitions;
    if (first === undefined) throw new Error("no definition");
    for (let revision = 2; revision <= 12; revision += 1) {
      fake.state.taskDefinitions.push({ ...first, revision, arn: first.arn.replace(/:1$/, `:${revision}`) });
    }
    await teardown().stop(instanceId(1));
    expect(operations().filter((name) => name === "DeleteTaskDefinitions")).toHaveLength(2);
    expect(fake.left()).toEqual([]);
  });

  it("leaves other instances and other deployments alone", async () => {
    await stopped(1);
    await makeFargateCompute(deps).launch(aLaunch(2));
    const elsewhere = { ...deps, settings: { ...deps.settings, deployment: "other" } };
    await makeFargateCompute(elsewhere).launch(aLaunch(3));
    fake.state.advance(pace.running);
    const before = fake.left().filter((one) => !one.includes(instanceId(1)));
    await teardown().stop(instanceId(1));
    expect(fake.left().filter((one) => !one.startsWith("interface"))).toEqual(
      before.filter((one) => !one.startsWith("interface")),
    );
    expect((await teardown().list()).map((one) => one.instanceId)).toEqual([instanceId(2)]);
    expect((await makeFargateTeardown(elsewhere).list()).map((one) => one.instanceId)).toEqual([instanceId(3)]);
  });
});

describe("what is left without a task", () => {
  const tags = (number: number): Tag[] => [
    { key: "bulkhead:deployment", value: "bh" },
    { key: "bulkhead:instance", value: instanceId(number) },
  ];

  it("is found by tags alone, whatever single thing it is, and goes", async () => {
    const compute = makeFargateCompute(deps);
    for (const number of [2, 3]) await compute.launch(aLaunch(number));
    fake.state.tasks.length = 0;
    const owner = (one: { readonly tags: readonly Tag[] }) => one.tags[1]?.value;
    // 1 has a security group only, 2 an access point, 3 a task definition.
    for (const [id, group] of fake.state.securityGroups)
      if (group.tags.length > 0) fake.state.securityGroups.delete(id);
    for (const [id, point] of fake.state.accessPoints) {
      if (owner(point) === instanceId(3)) fake.state.accessPoints.delete(id);
    }
    fake.state.taskDefinitions.splice(0, 1);
    fake.addGroup("stray", tags(1));
    fake.addGroup("foreign", [{ key: "bulkhead:deployment", value: "other" }, ...tags(4).slice(1)]);
    const truths = await teardown().list();
    expect(truths.map((one) => one.instanceId).sort()).toEqual([1, 2, 3].map(instanceId));
    expect(new Set(truths.map((one) => one.state))).toEqual(new Set(["gone"]));
    for (const { instanceId: id } of truths) await teardown().stop(id);
    expect(await teardown().list()).toEqual([]);
    expect(fake.state.securityGroups.has("sg-foreign")).toBe(true);
  });

  it("is asked for page by page, with few calls", async () => {
    const compute = makeFargateCompute(deps);
    await Promise.all([1, 2, 3, 4, 5].map((number) => compute.launch(aLaunch(number))));
    fake.state.advance(pace.running);
    fake.calls.length = 0;
    expect(await compute.list()).toHaveLength(5);
    const count = (name: string) => operations().filter((one) => one === name).length;
    expect(
      ["ListTasks", "DescribeSecurityGroups", "DescribeAccessPoints", "ListTaskDefinitionFamilies"].map(count),
    ).toEqual([3, 3, 3, 3]);
    expect(count("DescribeTasks")).toBe(1);
    expect(operations()).toHaveLength(13);
  });

  it("is not guessed at when a list fails", async () => {
    for (const operation of [
      "ListTasks",
      "DescribeSecurityGroups",
      "DescribeAccessPoints",
      "ListTaskDefinitionFamilies",
    ]) {
      fake.fail(operation, { code: "ThrottlingException", status: 429 });
      await expect(teardown().list()).rejects.toMatchObject({ code: "SERVICE_UNAVAILABLE" });
      fake.heal();
    }
  });
});

describe("the stopper of tasks", () => {
  it("makes two kinds of calls and no others", async () => {
    await makeFargateCompute(deps).launch(aLaunch());
    fake.state.advance(pace.running);
    fake.calls.length = 0;
    const stop = makeTaskStopper(deps);
    await stop(instanceId(1));
    await stop(instanceId(1));
    await stop(instanceId(9));
    expect(operations()).toEqual(["ListTasks", "StopTask", "ListTasks", "ListTasks"]);
    expect(fake.state.tasks[0]?.stop).toMatchObject({ code: "UserInitiated", reason: "ended by Bulkhead" });
  });
});
