import type { TaskEvent } from "#aws/compute/task-event.ts";
import type { Platform } from "#core/platform.ts";
import type { InstanceStore } from "#core/ports.ts";
import type { Metrics } from "#telemetry/metrics.ts";

export interface ActDeps {
  readonly platform: Pick<Platform, "instancePlaced" | "instanceExited">;
  readonly instances: Pick<InstanceStore, "get">;
  readonly metrics: Pick<Metrics, "count">;
}

/**
 * What a change of a task means to the platform. Both are safe to repeat and to hear late: an instance is placed once, and an ended
 * one has no record that a late RUNNING could find. What lies between says nothing: a task has its address long before its agent can
 * answer there, and until it has stopped its network interface holds on to what would be taken down.
 */
export async function actOnTask({ platform, instances, metrics }: ActDeps, task: TaskEvent): Promise<void> {
  if (task.exit !== null) {
    const record = await instances.get(task.instanceId);
    await platform.instanceExited(task.exit);
    // A pool whose every task dies as it starts launches without end, and no launch of it fails.
    if (record?.state === "starting") metrics.count("LaunchFailures");
  } else if (task.running && task.endpoint !== null) await platform.instancePlaced(task.instanceId, task.endpoint);
}
