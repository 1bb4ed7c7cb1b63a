import type { EndReason } from "#contracts/domain.ts";
import type { CoreDeps } from "./deps.ts";
import { isEnded, statusDeadlineMs } from "./lifecycle.ts";
import type { SandboxRecord } from "./model.ts";

export interface Ender {
  /**
   * Ends a sandbox whatever its state: instance gone, quota returned once, tombstone written. The first reason stays.
   * @returns the tombstone, or undefined when there is no such sandbox
   * @throws when the instance cannot be stopped: the record then stays `deleting` and the sweeper repeats it
   */
  end(sandboxId: string, reason: EndReason): Promise<SandboxRecord | undefined>;
}

export function makeEnder(deps: CoreDeps): Ender {
  const { sandboxes, clock, events } = deps.ports;

  /** Writes `deleting` with the reason; a record that is there already keeps the reason it has. */
  async function begin(sandboxId: string, reason: EndReason): Promise<SandboxRecord | undefined> {
    for (;;) {
      const record = await sandboxes.get(sandboxId);
      if (record === undefined || isEnded(record.status) || record.status === "deleting") return record;
      const deleting: SandboxRecord = {
        ...record,
        status: "deleting",
        statusDeadlineAt: clock.now() + (statusDeadlineMs.deleting ?? 0),
        endReason: reason,
        version: record.version + 1,
      };
      if ((await sandboxes.replace(deleting)) === "written") return deleting;
    }
  }

  async function finish(deleting: SandboxRecord): Promise<SandboxRecord | undefined> {
    const now = clock.now();
    const tombstone: SandboxRecord = {
      ...deleting,
      status: deleting.endReason === "create_failed" ? "failed" : "deleted",
      statusDeadlineAt: null,
      endedAt: now,
      expiresAtSeconds: Math.floor(now / 1000) + deps.config.tombstoneSeconds,
      version: deleting.version + 1,
    };
    // Whoever writes the tombstone returns the quota: exactly one does.
    if ((await sandboxes.replace(tombstone)) === "lost") return sandboxes.get(deleting.id);
    await sandboxes.returnQuota(tombstone.projectId);
    return tombstone;
  }

  return {
    async end(sandboxId, reason) {
      const record = await begin(sandboxId, reason);
      if (record === undefined || isEnded(record.status)) return record;
      events.publish({ type: "sandbox.ended", sandboxId });
      if (record.instanceId !== null) await deps.instances.end(record.instanceId);
      const ended = await finish(record);
      deps.pool.refill();
      return ended;
    },
  };
}
