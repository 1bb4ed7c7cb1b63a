import { CreateMountTargetCommand, TagResourceCommand } from "@aws-sdk/client-efs";
import { afterAll, beforeAll, expect, it } from "vitest";
import { makeFargateCompute } from "#aws/compute/fargate-compute.ts";
import { systemClock } from "#core/system-clock.ts";
import { noopLogger } from "#telemetry/logger.ts";
import { clientsOf } from "#test/support/aws-fake/fargate-world.ts";
import { makeAccount } from "#test/support/moto/fargate-account.ts";
import { type Moto, startMoto } from "#test/support/moto/moto.ts";
import { accessPointOf } from "../../scripts/smoke/account/access-point.ts";
import { mountTargets } from "../../scripts/smoke/account/mount-targets.ts";
import { privateAddress, taskByAddress } from "../../scripts/smoke/account/tasks.ts";
import { teardownLag } from "../../scripts/smoke/account/teardown-lag.ts";
import { Journal } from "../../scripts/smoke/journal.ts";
import { aLaunch, instanceId } from "./compute.suite.ts";

const region = "eu-west-1";
const opened: { moto?: Moto } = {};
beforeAll(async () => {
  opened.moto = await startMoto();
}, 300_000);
afterAll(() => opened.moto?.stop());

async function makeWorld() {
  const { moto } = opened;
  if (moto === undefined) throw new Error("moto is not running");
  await moto.reset();
  const clients = clientsOf(moto.endpoint, region, 2);
  const settings = await makeAccount(clients, region);
  const deps = { settings, region, clients, clock: systemClock, logger: noopLogger, removeFiles: async () => {} };
  return { clients, settings, compute: makeFargateCompute(deps), journal: new Journal(() => {}) };
}

it("finds what the smoke script looks for in an account: mount targets, a task by its address, its access point", async () => {
  const { clients, settings, compute, journal } = await makeWorld();
  const { deployment, fileSystemId: FileSystemId, subnetIds } = settings;
  await expect(mountTargets(journal, clients, deployment)).rejects.toThrow();
  const Tags = [{ Key: "bulkhead:platform", Value: deployment }];
  await clients.efs.send(new TagResourceCommand({ ResourceId: FileSystemId, Tags }));
  await clients.efs.send(new CreateMountTargetCommand({ FileSystemId, SubnetId: subnetIds[0] }));
  expect(await mountTargets(journal, clients, deployment)).toEqual([expect.stringMatching(/^10\.64\./)]);

  await compute.launch(aLaunch(1));
  await compute.launch(aLaunch(2));
  const [truth] = (await compute.list()).filter((one) => one.instanceId === instanceId(2));
  const address = truth?.endpoint?.kind === "tcp" ? truth.endpoint.host : "";
  const found = await taskByAddress(clients, deployment, address);
  expect(found?.instanceId).toBe(instanceId(2));
  expect(found === undefined ? undefined : privateAddress(found.task)).toBe(address);
  expect(await taskByAddress(clients, "another", address)).toBeUndefined();

  const own = await accessPointOf(clients, instanceId(2));
  expect(own).toMatchObject({ fileSystemId: FileSystemId });
  expect(own?.accessPointId).not.toBe((await accessPointOf(clients, instanceId(1)))?.accessPointId);
  expect(await accessPointOf(clients, instanceId(3))).toBeUndefined();
});

it("measures until task and security group are gone", async () => {
  const { clients, settings, compute, journal } = await makeWorld();
  await compute.launch(aLaunch(1));
  const [truth] = await compute.list();
  const address = truth?.endpoint?.kind === "tcp" ? truth.endpoint.host : "";
  const found = await taskByAddress(clients, settings.deployment, address);
  if (found === undefined) throw new Error("no task");
  const lag = teardownLag(journal, clients, found);
  // moto keeps the interface, so that the group has to be asked for twice, as with AWS.
  await compute.stop(instanceId(1));
  await compute.stop(instanceId(1));
  await lag;
  expect(journal.entries.map(({ what, verdict }) => [what, verdict])).toEqual([
    ["the task stops", "ok"],
    ["its security group goes", "ok"],
  ]);
});
