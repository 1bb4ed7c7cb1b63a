import type { LaunchRequest } from "#core/ports.ts";
import type { Identity } from "./identity.ts";
import type { Workshop } from "./instance.ts";
import { begin, type Undo } from "./undo.ts";

/** An instance's disk and the host ids that its files belong to: whoever keeps the one keeps the other. */
export interface Workspace {
  readonly diskId: string;
  readonly identity: Identity;
  readonly mountPoint: string;
  /** Mounts the disk. */
  open(undo: Undo): Promise<void>;
  /** Whether the disk goes back on the shelf when the instance ends. From the start where it came from there: a launch may fail. */
  keep: boolean;
  /** Whether it has come to that. */
  kept(): boolean;
}

/** Takes ids, of a new instance or of the disk it is to work on. @throws BulkheadError CAPACITY_EXHAUSTED | INTERNAL_ERROR */
export function takeWorkspace(workshop: Workshop, request: LaunchRequest, mountPoint: string, undo: Undo): Workspace {
  const { disks, identities, shelf, deps } = workshop;
  const { instanceId, resources } = request;
  const taken = request.diskId === undefined ? null : shelf.take(request.diskId);
  const identity = taken?.identity ?? identities.take();
  const diskId = taken?.id ?? instanceId;
  const owner = identity.tier === "two-uid" ? { uid: identity.userId, gid: identity.userGid } : deps.host;
  // Put away it is until it is mounted, so that a launch that fails before leaves it where it was.
  let kept = taken !== null;
  undo.push("give back the ids", () => {
    if (kept) shelf.put({ id: diskId, identity });
    else identities.giveBack(identity);
    return Promise.resolve();
  });
  const workspace: Workspace = {
    ...{ diskId, identity, mountPoint },
    open(undo) {
      kept = false;
      if (disks === null) return Promise.resolve();
      const mount = () =>
        taken === null
          ? disks.create(instanceId, resources.disk_mb, mountPoint, owner)
          : disks.reopen(diskId, instanceId, mountPoint);
      return begin(undo, "remove or keep the disk", mount, async () => {
        if (!workspace.keep) return disks.remove(instanceId, mountPoint);
        await disks.keep(instanceId, mountPoint, diskId);
        kept = true;
      });
    },
    keep: taken !== null,
    kept: () => kept,
  };
  return workspace;
}
