import { BulkheadError } from "#contracts/errors.ts";
import type { Clock, Compute, InstanceTruth } from "#core/ports.ts";
import type { Logger } from "#telemetry/logger.ts";
import { deleteAccessPoints, listAccessPoints } from "./access-point.ts";
import { type ComputeClients, computeClients } from "./clients.ts";
import { awaitLeft, leaveDisk, listKept } from "./kept-disk.ts";
import { deleteGroups, listGroups } from "./security-group.ts";
import type { TeardownSettings } from "./settings.ts";
import { describeTasks, listTasks, stopTask, truthOf } from "./task.ts";
import { deleteTaskDefinitions, listDefinedInstances } from "./task-definitions.ts";

export const agentPortByDefault = 7777;

export interface TeardownDeps {
  readonly settings: TeardownSettings;
  readonly region: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** @default - clients for `region`, with the caller's own credentials */
  readonly clients?: ComputeClients;
  /** @default 7777 */
  readonly agentPort?: number;
  /**
   * Removes the files of a disk, by its id. @default - they stay, and with them the access point, by which whoever can remove them finds them:
   * deleting it would not delete them
   */
  readonly removeFiles?: (diskId: string) => Promise<void>;
  /** How long `stop` waits for the task's network interface to let go of the security group. @default 20 s */
  readonly retryForMs?: number;
}

export type Teardown = Pick<Compute, "describe" | "stop" | "list" | "removeDisk" | "listDisks">;

/**
 * The Compute port without launching: for functions that end instances. `stop` asks a running task to stop and leaves what was made around
 * it, which its network interface holds on to; called again once the task has stopped, e.g. when ECS tells so, it takes that away. It throws
 * SERVICE_UNAVAILABLE while the interface still holds on. Until then `list` shows the instance as `gone`.
 */
export function makeFargateTeardown(deps: TeardownDeps): Teardown {
  const { settings, clock, logger, removeFiles } = deps;
  const { agentPort = agentPortByDefault, retryForMs = 20_000 } = deps;
  const clients = deps.clients ?? computeClients(deps.region);
  const { ecs, ec2, efs } = clients;

  async function truthsOf(arns: readonly string[]): Promise<InstanceTruth[]> {
    const tasks = await describeTasks(ecs, settings, arns);
    return tasks.map((task) => truthOf(task, settings, agentPort)).filter((truth) => truth !== undefined);
  }

  async function removeWorkspace(instanceId: string): Promise<void> {
    if (removeFiles === undefined) return;
    // Without an access point there never were files, or they are removed, or another instance has them.
    const points = (await listAccessPoints(efs, settings, instanceId)).filter((point) => !point.kept);
    for (const { diskId } of points) await removeFiles(diskId);
    await deleteAccessPoints(efs, points);
  }

  async function runningOf(instanceId: string): Promise<InstanceTruth[]> {
    const truths = await truthsOf(await listTasks(ecs, settings, instanceId));
    return truths.filter((truth) => truth.state !== "gone");
  }

  /** @returns whether there was something to stop */
  async function stopRunning(instanceId: string): Promise<boolean> {
    const running = await runningOf(instanceId);
    for (const { providerId } of running) await stopTask(ecs, settings, providerId);
    if (running.length > 0) logger.info("task asked to stop", { instance: instanceId });
    return running.length > 0;
  }

  return {
    describe: async (instanceId) => (await runningOf(instanceId))[0],
    async stop(instanceId, { keepDisk = false } = {}) {
      if (keepDisk) await leaveDisk(efs, settings, instanceId);
      if (await stopRunning(instanceId)) return;
      await deleteTaskDefinitions(ecs, settings, instanceId);
      try {
        // The group goes only when the network interface is gone, and the task with it: then nobody writes files any more.
        await deleteGroups(ec2, settings, instanceId, { clock, retryForMs });
      } catch (held) {
        // A task that had just been started was not listed above.
        if (await stopRunning(instanceId)) return;
        throw held;
      }
      await removeWorkspace(instanceId);
    },
    async removeDisk(diskId) {
      const points = (await listKept(efs, settings)).filter((point) => point.diskId === diskId);
      if (points.length === 0) return;
      if (removeFiles === undefined) {
        throw new BulkheadError("INTERNAL_ERROR", "This function cannot remove files. Report the request id.");
      }
      for (const point of points) await awaitLeft(clients, settings, point, { clock, forMs: retryForMs });
      // The access point last: by it whatever is left of a removal that was cut off is listed.
      await removeFiles(diskId);
      await deleteAccessPoints(efs, points);
    },
    listDisks: async () => (await listKept(efs, settings)).map((point) => point.diskId),
    async list() {
      const [groups, points, defined] = await Promise.all([
        listGroups(ec2, settings),
        listAccessPoints(efs, settings),
        listDefinedInstances(ecs, settings),
      ]);
      const ids = [...groups, ...points.filter((point) => !point.kept)].map((one) => one.instanceId).concat(defined);
      const truths = new Map<string, InstanceTruth>(
        ids.map((instanceId) => [instanceId, { instanceId, providerId: "", state: "gone", endpoint: null }]),
      );
      // Last, so that an instance that is being launched does not look like what is left of one.
      for (const truth of await truthsOf(await listTasks(ecs, settings))) {
        if (truth.state !== "gone") truths.set(truth.instanceId, truth);
      }
      return [...truths.values()];
    },
  };
}
