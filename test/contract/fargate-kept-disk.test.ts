import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { makeFargateCompute } from "#aws/compute/fargate-compute.ts";
import { makeFargateTeardown, type TeardownDeps } from "#aws/compute/fargate-teardown.ts";
import { uidOf } from "#aws/compute/names.ts";
import { makeTaskStopper } from "#aws/compute/task-stopper.ts";
import type { Compute } from "#core/ports.ts";
import { type AwsFake, startAwsFake } from "#test/support/aws-fake/aws-fake.ts";
import { fargateDeps } from "#test/support/aws-fake/fargate-world.ts";
import { pace } from "#test/support/aws-fake/state.ts";
import { aLaunch, instanceId } from "./compute.suite.ts";

let fake: AwsFake;
let deps: ReturnType<typeof fargateDeps>;
let compute: Compute;
/** Disks whose files were removed. */
let removed: string[];

beforeEach(async () => {
  fake = await startAwsFake();
  removed = [];
  deps = { ...fargateDeps(fake), removeFiles: async (id) => void removed.push(id) };
  compute = makeFargateCompute(deps);
});
afterEach(() => fake.stop());

const disk = instanceId(1);
const keepDisk = { keepDisk: true } as const;
const onDisk = (number: number) => aLaunch(number, { diskId: disk });
const broken = { code: "InternalServerError", status: 500 };
const operations = () => fake.calls.map((call) => call.operation);
const rest = () => fake.state.advance(pace.stopped + pace.released);
const teardown = (changes: Partial<TeardownDeps> = {}) => makeFargateTeardown({ ...deps, ...changes });
const tagsOfDisk = () =>
  [...fake.state.accessPoints.values()].map(({ tags }) =>
    Object.fromEntries(tags.map(({ key, value }) => [key, value])),
  );

async function running(number = 1, request = aLaunch(number)): Promise<void> {
  await compute.launch(request);
  fake.state.advance(pace.running);
}

async function stopped(): Promise<void> {
  await running();
  await compute.stop(disk, keepDisk);
  rest();
  await compute.stop(disk);
  fake.calls.length = 0;
}

const definitionSchema = z.object({
  volumes: z.array(
    z.object({
      efsVolumeConfiguration: z.object({ authorizationConfig: z.object({ accessPointId: z.string() }) }).optional(),
    }),
  ),
  containerDefinitions: z.array(z.object({ environment: z.array(z.object({ name: z.string(), value: z.string() })) })),
});

describe("a kept disk on Fargate", () => {
  it("is said to be kept before the task is asked to stop: whoever hears of its end takes it down", async () => {
    await running();
    fake.calls.length = 0;
    await compute.stop(disk, keepDisk);
    expect(operations()).toEqual(["DescribeAccessPoints", "TagResource", "ListTasks", "DescribeTasks", "StopTask"]);
    rest();
    await teardown().stop(disk);
    expect(fake.left()).toEqual([`access point ${disk}`]);
    expect(removed).toEqual([]);
    expect(tagsOfDisk()).toEqual([
      { "bulkhead:deployment": "bh", "bulkhead:instance": disk, "bulkhead:kept-by": disk },
    ]);
  });

  it("is said to be kept by the stopper of tasks as well", async () => {
    await running();
    fake.calls.length = 0;
    await makeTaskStopper(deps)(disk, keepDisk);
    expect(operations()).toEqual(["DescribeAccessPoints", "TagResource", "ListTasks", "StopTask"]);
    rest();
    await teardown().stop(disk);
    expect(await compute.listDisks()).toEqual([disk]);
  });

  it("does not stop the task when it cannot be said", async () => {
    await running();
    fake.fail("TagResource", broken);
    await expect(compute.stop(disk, keepDisk)).rejects.toMatchObject({ code: "SERVICE_UNAVAILABLE" });
    expect(fake.taskOf(disk).stop).toBeNull();
  });

  it("is mounted by the next instance through the same access point, as the same user", async () => {
    await stopped();
    await compute.launch(onDisk(2));
    expect(operations()).not.toContain("CreateAccessPoint");
    const [point] = [...fake.state.accessPoints.values()];
    const task = fake.taskOf(instanceId(2));
    const found = fake.state.taskDefinitions.find(({ arn }) => arn === task.taskDefinitionArn);
    const { volumes, containerDefinitions } = definitionSchema.parse(found?.input);
    expect(volumes[0]?.efsVolumeConfiguration?.authorizationConfig.accessPointId).toBe(point?.id);
    const environment = Object.fromEntries(
      containerDefinitions.flatMap((one) => one.environment.map(({ name, value }) => [name, value] as const)),
    );
    expect(environment).toMatchObject({
      BULKHEAD_INSTANCE_ID: instanceId(2),
      BULKHEAD_USER_UID: String(uidOf(disk)),
      BULKHEAD_USER_GID: String(point?.posixUser.Gid),
    });
    expect(point?.rootDirectory).toMatchObject({ Path: `/instances/${disk}` });
  });

  it("has the files of its own directory removed, whoever used it last", async () => {
    await stopped();
    await running(2, onDisk(2));
    await compute.stop(instanceId(2));
    rest();
    await compute.stop(instanceId(2));
    expect(removed).toEqual([disk]);
    expect(fake.left()).toEqual([]);
  });

  it("is not mounted while its last instance may still write", async () => {
    await running();
    await compute.stop(disk, keepDisk);
    const askedAt = fake.state.now();
    await compute.launch(onDisk(2));
    expect(fake.taskOf(instanceId(2)).createdAt - askedAt).toBeGreaterThanOrEqual(pace.deprovisioning);
  });

  it("is not mounted, and nothing is left, when its last instance does not end", async () => {
    await running();
    await makeTaskStopper(deps)(disk, keepDisk);
    // Asked to stop, and asked in vain.
    for (const task of fake.state.tasks) task.stop = null;
    await expect(compute.launch(onDisk(2))).rejects.toMatchObject({ code: "SERVICE_UNAVAILABLE", retryable: true });
    expect(fake.left().filter((one) => one.includes(instanceId(2)))).toEqual([]);
    await expect(compute.removeDisk(disk)).rejects.toMatchObject({ code: "SERVICE_UNAVAILABLE" });
    expect(removed).toEqual([]);
    expect(await compute.listDisks()).toEqual([disk]);
  });

  for (const step of ["CreateSecurityGroup", "AuthorizeSecurityGroupEgress", "RegisterTaskDefinition", "RunTask"]) {
    it(`stays kept when a launch on it fails at ${step}, taken back or cut off`, async () => {
      await stopped();
      fake.fail(step, { code: "AccessDeniedException", status: 403 });
      await expect(compute.launch(onDisk(2))).rejects.toThrow();
      expect(fake.left()).toEqual([`access point ${disk}`]);
      for (const undo of ["DeleteSecurityGroup", "DeregisterTaskDefinition"]) fake.fail(undo, broken);
      await expect(compute.launch(onDisk(2))).rejects.toThrow();
      fake.heal();
      // The sweeper finds what is left of it.
      await compute.stop(instanceId(2));
      expect(fake.left()).toEqual([`access point ${disk}`]);
      expect(await compute.listDisks()).toEqual([disk]);
      expect(removed).toEqual([]);
      await running(3, onDisk(3));
      expect(await compute.listDisks()).toEqual([]);
    });
  }

  it("stays kept, and is listed, when it could not be said whose it is now; a repeated launch says it", async () => {
    await stopped();
    fake.fail("TagResource", broken);
    await compute.launch(onDisk(2));
    fake.state.advance(pace.running);
    expect(await compute.listDisks()).toEqual([disk]);
    fake.heal();
    await compute.launch(onDisk(2));
    expect(await compute.listDisks()).toEqual([]);
    expect(tagsOfDisk()).toMatchObject([{ "bulkhead:instance": instanceId(2), "bulkhead:kept-by": disk }]);
  });

  it("is not lost with an instance that could not say it uses it", async () => {
    await stopped();
    fake.fail("TagResource", broken);
    await compute.launch(onDisk(2));
    fake.state.advance(pace.running);
    fake.heal();
    await compute.stop(instanceId(2));
    rest();
    await compute.stop(instanceId(2));
    expect(removed).toEqual([]);
    expect(await compute.listDisks()).toEqual([disk]);
  });

  it("stays listed until nothing of it is left", async () => {
    await stopped();
    const failing = teardown({ removeFiles: () => Promise.reject(new Error("the janitor is away")) });
    await expect(failing.removeDisk(disk)).rejects.toThrow("the janitor is away");
    fake.fail("DeleteAccessPoint", broken);
    await expect(compute.removeDisk(disk)).rejects.toMatchObject({ code: "SERVICE_UNAVAILABLE" });
    expect(await compute.listDisks()).toEqual([disk]);
    fake.heal();
    await compute.removeDisk(disk);
    expect(removed).toEqual([disk, disk]);
    expect(fake.left()).toEqual([]);
  });

  it("is not removed by a function that cannot remove files", async () => {
    await stopped();
    const { settings, region, clients, clock, logger } = deps;
    const pool = makeFargateTeardown({ settings, region, clients, clock, logger });
    await expect(pool.removeDisk(disk)).rejects.toMatchObject({ code: "INTERNAL_ERROR" });
    expect(await pool.listDisks()).toEqual([disk]);
  });

  it("of another deployment is none of ours", async () => {
    await stopped();
    const other = { ...deps, settings: { ...deps.settings, deployment: "other" } };
    expect(await makeFargateTeardown(other).listDisks()).toEqual([]);
    await makeFargateTeardown(other).removeDisk(disk);
    await expect(makeFargateCompute(other).launch(onDisk(2))).rejects.toMatchObject({ code: "INTERNAL_ERROR" });
    expect(await compute.listDisks()).toEqual([disk]);
  });
});
