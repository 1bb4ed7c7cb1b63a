import type { TaskEvent } from "#aws/compute/task-event.ts";
import type { Platform } from "#core/platform.ts";

/**
 * What a change of a task means to the platform. Both are safe to repeat and to hear late: an instance is placed once, and an ended
 * one has no record that a late RUNNING could find.
 */
export async function actOnTask(
  platform: Pick<Platform, "instancePlaced" | "instanceExited">,
  task: TaskEvent,
): Promise<void> {
  if (task.exit !== null) await platform.instanceExited(task.exit);
  else if (task.endpoint !== null) await platform.instancePlaced(task.instanceId, task.endpoint);
}
