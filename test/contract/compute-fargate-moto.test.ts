import { DescribeTasksCommand, ListTaskDefinitionsCommand, ListTasksCommand } from "@aws-sdk/client-ecs";
import { DescribeAccessPointsCommand } from "@aws-sdk/client-efs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import type { ComputeClients } from "#aws/compute/clients.ts";
import { makeFargateCompute } from "#aws/compute/fargate-compute.ts";
import type { LaunchSettings } from "#aws/compute/settings.ts";
import { systemClock } from "#core/system-clock.ts";
import { noopLogger } from "#telemetry/logger.ts";
import { clientsOf } from "#test/support/aws-fake/fargate-world.ts";
import { makeAccount } from "#test/support/moto/fargate-account.ts";
import { type Moto, startMoto } from "#test/support/moto/moto.ts";
import { aLaunch, type ComputeWorld, computeContract, instanceId } from "./compute.suite.ts";

const region = "eu-west-1";
const opened: { moto?: Moto } = {};
beforeAll(async () => {
  opened.moto = await startMoto();
}, 300_000);
afterAll(() => opened.moto?.stop());

interface MotoWorld extends ComputeWorld {
  readonly clients: ComputeClients;
  readonly settings: LaunchSettings;
}

const groupsSchema = z.object({
  securityGroupInfo: z.object({
    item: z.array(z.object({ groupId: z.string(), groupName: z.string(), ipPermissionsEgress: z.unknown() })),
  }),
});

async function makeWorld(): Promise<MotoWorld> {
  const { moto } = opened;
  if (moto === undefined) throw new Error("moto is not running");
  await moto.reset();
  const clients = clientsOf(moto.endpoint, region, 2);
  const settings = await makeAccount(clients, region);
  const deps = { settings, region, clients, clock: systemClock, logger: noopLogger, removeFiles: async () => {} };
  return {
    clients,
    settings,
    compute: makeFargateCompute(deps),
    // A task of moto runs from its first moment and has stopped with the call that stops it.
    place: async () => {},
    settle: async () => {},
    fill: () => {},
    left: () => leftIn(clients, settings),
  };
}

/** By other calls than the adapter's own where there are any: what it forgets must not be hidden by how it looks. */
async function leftIn({ ecs, ec2, efs }: ComputeClients, { cluster, fileSystemId }: LaunchSettings): Promise<string[]> {
  const { taskArns = [] } = await ecs.send(new ListTasksCommand({ cluster, desiredStatus: "RUNNING" }));
  const { AccessPoints = [] } = await efs.send(new DescribeAccessPointsCommand({ FileSystemId: fileSystemId }));
  const active = await ecs.send(new ListTaskDefinitionsCommand({ status: "ACTIVE" }));
  const groups = groupsSchema.parse(await ec2.call("DescribeSecurityGroups", {})).securityGroupInfo.item;
  return [
    ...taskArns,
    ...AccessPoints.map((point) => point.AccessPointId ?? "access point"),
    ...(active.taskDefinitionArns ?? []),
    ...groups.map((group) => group.groupName).filter((name) => name.startsWith("bh-")),
  ];
}

computeContract("Fargate on moto", makeWorld, {
  "simultaneous launches": "moto ignores clientToken",
  "no room": "moto has no quotas",
  "later placement": "moto's tasks run at once",
  "nothing listed afterwards": "moto lists families that have no revision left",
});

describe("Fargate on moto", () => {
  it("gives the task the instance's own group, whose default egress is gone", async () => {
    const { clients, settings, compute } = await makeWorld();
    const { providerId } = await compute.launch(aLaunch());
    const { tasks } = await clients.ecs.send(
      new DescribeTasksCommand({ cluster: settings.cluster, tasks: [providerId], include: ["TAGS"] }),
    );
    expect(tasks?.[0]).toMatchObject({ startedBy: instanceId(1), group: "bh", launchType: "FARGATE" });
    const groups = groupsSchema.parse(await clients.ec2.call("DescribeSecurityGroups", {})).securityGroupInfo.item;
    const own = groups.find((group) => group.groupName === `bh-${instanceId(1)}`);
    const egress = JSON.stringify(own?.ipPermissionsEgress);
    expect(egress).not.toContain("0.0.0.0/0");
    for (const peer of [settings.securityGroups.proxy, settings.securityGroups.fileSystem, settings.s3PrefixListId]) {
      expect(egress).toContain(peer);
    }
  });
});
