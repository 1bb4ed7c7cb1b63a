import { BulkheadError } from "#contracts/errors.ts";
import type { CoreDeps } from "./deps.ts";
import type { Ender } from "./end.ts";
import type { SandboxRecord } from "./model.ts";

/** Whether a sandbox is being started again, on files that it had before. */
export function isRestarting(record: SandboxRecord): boolean {
  return record.status === "creating" && record.diskId !== null;
}

/**
 * A start that came to nothing: its instance goes, without the files, and the sandbox is stopped as it was before. One whose files went
 * with the instance has ended. One that runs all the same, since the news of its last step was lost, is left alone.
 * @param instanceId the start's own; a sandbox that has gone on with another one is left alone too
 */
export async function settleStopped(
  deps: CoreDeps,
  ender: Ender,
  sandboxId: string,
  instanceId: string | null,
): Promise<void> {
  const { sandboxes, events } = deps.ports;
  const found = await sandboxes.get(sandboxId);
  if (found?.instanceId === instanceId && found.status === "running") return;
  if (instanceId !== null && !(await endWithoutFiles(deps, instanceId))) {
    await ender.end(sandboxId, (record) =>
      isRestarting(record) && record.instanceId === instanceId ? "task_failed" : null,
    );
    return;
  }
  for (;;) {
    const record = await sandboxes.get(sandboxId);
    if (record === undefined || !isRestarting(record) || record.instanceId !== instanceId) return;
    const stopped: SandboxRecord = {
      ...record,
      status: "stopped",
      statusDeadlineAt: null,
      instanceId: null,
      version: record.version + 1,
    };
    if ((await sandboxes.replace(stopped)) === "lost") continue;
    events.publish({ type: "sandbox.resting", record: stopped, endpoint: null });
    return;
  }
}

/** While the record says `creating` the disk outlives the instance (disk.ts). @returns false when the files went with it all the same */
async function endWithoutFiles(deps: CoreDeps, instanceId: string): Promise<boolean> {
  try {
    await deps.instances.end(instanceId);
  } catch (error) {
    if (error instanceof BulkheadError && error.code === "CONFLICT") return false;
    deps.ports.logger.error("instance of a failed start not ended, left to the sweeper", {
      instance: instanceId,
      error,
    });
  }
  return true;
}
