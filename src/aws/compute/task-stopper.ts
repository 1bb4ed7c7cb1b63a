import type { Compute } from "#core/ports.ts";
import { type ComputeClients, computeClients } from "./clients.ts";
import type { TeardownDeps } from "./fargate-teardown.ts";
import { leaveDisk } from "./kept-disk.ts";
import { stopTasks } from "./task.ts";

export interface TaskStopperDeps extends Pick<TeardownDeps, "settings" | "region" | "clock" | "logger"> {
  /** @default - a client for `region`, with the caller's own credentials */
  readonly clients?: Pick<ComputeClients, "ecs" | "efs">;
}

/**
 * Asks an instance's task to stop, and nothing else but to say before that its files are to stay: for functions that may not take down
 * what was made around it. That goes when ECS tells that the task has stopped, or with the sweeper.
 */
export function makeTaskStopper(deps: TaskStopperDeps): Compute["stop"] {
  const { settings, logger } = deps;
  const { ecs, efs } = deps.clients ?? computeClients(deps.region);
  return async (instanceId, { keepDisk = false } = {}) => {
    if (keepDisk) await leaveDisk(efs, settings, instanceId);
    const stopped = await stopTasks(ecs, settings, instanceId);
    logger.info("tasks asked to stop", { instance: instanceId, tasks: stopped });
  };
}
