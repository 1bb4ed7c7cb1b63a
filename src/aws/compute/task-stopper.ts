import { ECSClient } from "@aws-sdk/client-ecs";
import type { TeardownSettings } from "./settings.ts";
import { listTasks, stopTask } from "./task.ts";

/**
 * Asks an instance's task to stop, and nothing else: for functions that may not take down what was made around it. That goes when the
 * provider tells that the task has stopped.
 */
export function makeTaskStopper(deps: {
  readonly settings: TeardownSettings;
  readonly region: string;
  /** @default - a client for `region`, with the caller's own credentials */
  readonly client?: ECSClient;
}): (instanceId: string) => Promise<void> {
  const { settings } = deps;
  const ecs = deps.client ?? new ECSClient({ region: deps.region, retryMode: "adaptive", maxAttempts: 4 });
  return async (instanceId) => {
    for (const task of await listTasks(ecs, settings, "RUNNING", instanceId)) await stopTask(ecs, settings, task);
  };
}
