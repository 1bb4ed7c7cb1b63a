import { type ComputeClients, ecsClient } from "./clients.ts";
import type { TeardownDeps } from "./fargate-teardown.ts";
import { stopTasks } from "./task.ts";

export interface TaskStopperDeps extends Pick<TeardownDeps, "settings" | "region" | "clock" | "logger"> {
  /** @default - a client for `region`, with the caller's own credentials */
  readonly clients?: Pick<ComputeClients, "ecs">;
}

/**
 * Asks an instance's task to stop, and nothing else: for functions that may not take down what was made around it. That goes when ECS
 * tells that the task has stopped, or with the sweeper.
 */
export function makeTaskStopper(deps: TaskStopperDeps): (instanceId: string) => Promise<void> {
  const { settings, logger } = deps;
  const ecs = deps.clients?.ecs ?? ecsClient(deps.region);
  return async (instanceId) => {
    const stopped = await stopTasks(ecs, settings, instanceId);
    logger.info("tasks asked to stop", { instance: instanceId, tasks: stopped });
  };
}
