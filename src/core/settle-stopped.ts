import { BulkheadError } from "#contracts/errors.ts";
import type { CoreDeps } from "./deps.ts";
import type { Ender } from "./end.ts";
import { isOver } from "./lifecycle.ts";
import type { SandboxRecord } from "./model.ts";

/** Whether a sandbox is being started again, on files that it had before. */
export function isRestarting(record: SandboxRecord): boolean {
  return record.status === "creating" && record.diskId !== null;
}

/**
 * A start that came to nothing: the sandbox is stopped as it was before, and the start's instance goes, without the files. The record
 * comes first: it decides against whoever makes the sandbox run in the same moment. One that runs all the same is left alone; one whose
 * files went with the instance has ended.
 * @param instanceId the start's own; a sandbox that has gone on with another one is left alone too
 */
export async function settleStopped(
  deps: CoreDeps,
  ender: Ender,
  sandboxId: string,
  instanceId: string | null,
): Promise<void> {
  const record = await takeBack(deps, sandboxId, instanceId);
  if (instanceId === null || (record?.instanceId === instanceId && !isOver(record.status))) return;
  if (await endWithoutFiles(deps, instanceId)) return;
  await ender.end(sandboxId, (fresh) =>
    fresh.status === "stopped" && fresh.version === record?.version ? "task_failed" : null,
  );
}

/** @returns the record as it is now: stopped, or as somebody else has left it */
async function takeBack(
  deps: CoreDeps,
  sandboxId: string,
  instanceId: string | null,
): Promise<SandboxRecord | undefined> {
  const { sandboxes, events } = deps.ports;
  for (;;) {
    const record = await sandboxes.get(sandboxId);
    if (record === undefined || !isRestarting(record) || record.instanceId !== instanceId) return record;
    const stopped: SandboxRecord = {
      ...record,
      status: "stopped",
      statusDeadlineAt: null,
      instanceId: null,
      version: record.version + 1,
    };
    if ((await sandboxes.replace(stopped)) === "lost") continue;
    events.publish({ type: "sandbox.resting", record: stopped, endpoint: null });
    return stopped;
  }
}

/** While the record says `stopped` the disk outlives the instance (disk.ts). @returns false when the files went with it all the same */
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
