import type { Compute, InstanceTruth } from "#core/ports.ts";
import type { Logger } from "#telemetry/logger.ts";
import { deleteAccessPoints, listAccessPoints } from "./access-point.ts";
import { type ComputeClients, makeComputeClients } from "./clients.ts";
import { deleteGroups, listGroups } from "./security-group.ts";
import type { TeardownSettings } from "./settings.ts";
import { describeTasks, listTasks, stopTask, truthOf } from "./task.ts";
import { deleteTaskDefinitions, listDefinedInstances } from "./task-definition.ts";

export interface TeardownDeps {
  readonly settings: TeardownSettings;
  readonly region: string;
  readonly logger: Logger;
  /** @default - clients for `region`, with the caller's own credentials */
  readonly clients?: ComputeClients;
  /** @default 7777 */
  readonly agentPort?: number;
  /** Removes the instance's files: deleting an access point leaves them. @default - they stay for whoever can remove them */
  readonly removeFiles?: (instanceId: string) => Promise<void>;
}

/**
 * The Compute port without launching: for functions that end instances. `stop` asks a running task to stop and leaves the rest, which
 * its network interface holds on to; it takes the rest away once no task runs. Until then `list` shows it as `gone`.
 */
export function makeFargateTeardown(deps: TeardownDeps): Pick<Compute, "describe" | "stop" | "list"> {
  const { settings, logger, agentPort = 7777 } = deps;
  const { ecs, ec2, efs } = deps.clients ?? makeComputeClients(deps.region);

  async function tasksOf(arns: readonly string[]): Promise<InstanceTruth[]> {
    const tasks = await describeTasks(ecs, settings, arns);
    return tasks.map((task) => truthOf(task, settings, agentPort)).filter((truth) => truth !== undefined);
  }

  /** Files before the access point: it says whose they are. The group last: it goes only after the network interface. */
  async function removeRest(instanceId: string): Promise<void> {
    await deleteTaskDefinitions(ecs, settings, instanceId);
    if (deps.removeFiles !== undefined) {
      await deps.removeFiles(instanceId);
      await deleteAccessPoints(efs, settings, instanceId);
    }
    await deleteGroups(ec2, settings, instanceId);
  }

  return {
    async describe(instanceId) {
      const running = await tasksOf(await listTasks(ecs, settings, "RUNNING", instanceId));
      return running[0] ?? (await tasksOf(await listTasks(ecs, settings, "STOPPED", instanceId)))[0];
    },
    async stop(instanceId) {
      const running = await listTasks(ecs, settings, "RUNNING", instanceId);
      for (const task of running) await stopTask(ecs, settings, task);
      if (running.length > 0) logger.info("task asked to stop", { instance: instanceId });
      else await removeRest(instanceId);
    },
    async list() {
      const truths = new Map<string, InstanceTruth>();
      const remains = [
        ...(await listDefinedInstances(ecs, settings)),
        ...(await listGroups(ec2, settings)).map((group) => group.instanceId),
        ...(await listAccessPoints(efs, settings)).map((point) => point.instanceId),
      ];
      for (const instanceId of remains) {
        truths.set(instanceId, { instanceId, providerId: "remains", state: "gone", endpoint: null });
      }
      for (const truth of await tasksOf(await listTasks(ecs, settings, "RUNNING"))) truths.set(truth.instanceId, truth);
      return [...truths.values()];
    },
  };
}
