import type { EndReason } from "#contracts/domain.ts";
import type { CoreDeps } from "./deps.ts";
import { deletingDeadlineMs, isOver } from "./lifecycle.ts";
import type { SandboxRecord } from "./model.ts";

/** A reason, or what finds one in the record as it is stored at the moment of ending; null leaves the sandbox as it is. */
export type Why = EndReason | ((record: SandboxRecord) => EndReason | null);

export interface Ender {
  /**
   * Ends a sandbox whatever its state: instance gone, quota returned once, tombstone written. The first reason stays.
   * `actor` stands in the audit log.
   * @returns the record as it is afterwards, or undefined when there is no such sandbox
   * @throws when the instance cannot be stopped: the record then stays `deleting` and the sweeper repeats it
   */
  end(sandboxId: string, why: Why, actor?: "system" | "agent"): Promise<SandboxRecord | undefined>;
}

export function makeEnder(deps: CoreDeps): Ender {
  const { sandboxes, clock, events, logger } = deps.ports;

  /** Writes `deleting` with the reason; a record that is there already keeps the reason it has. */
  async function begin(sandboxId: string, why: Why): Promise<SandboxRecord | undefined> {
    for (;;) {
      const record = await sandboxes.get(sandboxId);
      if (record === undefined || isOver(record.status)) return record;
      const reason = typeof why === "function" ? why(record) : why;
      if (reason === null) return record;
      const deleting: SandboxRecord = {
        ...record,
        status: "deleting",
        statusDeadlineAt: clock.now() + deletingDeadlineMs,
        endReason: reason,
        // Nobody opens it any more.
        sealedEnv: null,
        version: record.version + 1,
      };
      if ((await sandboxes.replace(deleting)) === "written") return deleting;
    }
  }

  async function finish(deleting: SandboxRecord, actor: string): Promise<SandboxRecord | undefined> {
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
    deps.recount.add(tombstone.projectId);
    await sandboxes.returnQuota(tombstone.projectId);
    await record(tombstone, actor);
    return tombstone;
  }

  /** A kill is its caller's own audited operation; every other end is recorded here. It has happened: an audit log that is down cannot undo it. */
  async function record(tombstone: SandboxRecord, actor: string): Promise<void> {
    if (tombstone.endReason === "killed") return;
    try {
      await deps.audit.allowed({
        projectId: tombstone.projectId,
        actor,
        action: "sandbox.end",
        target: tombstone.id,
        context: null,
        details: { reason: tombstone.endReason },
      });
    } catch (error) {
      logger.error("audit event of an end not stored", { sandbox: tombstone.id, reason: tombstone.endReason, error });
    }
  }

  /** One that goes with its instance is gone already. A process without the right to remove files leaves them to the sweeper. */
  async function removeDisk(diskId: string): Promise<void> {
    try {
      await deps.ports.compute.removeDisk(diskId);
    } catch (error) {
      logger.warn("disk of an ended sandbox not removed, left to the sweeper", { disk: diskId, error });
    }
  }

  return {
    async end(sandboxId, why, actor = "system") {
      const begun = await begin(sandboxId, why);
      if (begun?.status !== "deleting") return begun;
      events.publish({ type: "sandbox.ended", sandboxId, instanceId: begun.instanceId });
      if (begun.instanceId !== null) await deps.instances.end(begun.instanceId);
      if (begun.diskId !== null) await removeDisk(begun.diskId);
      const ended = await finish(begun, actor);
      deps.pool.refill();
      return ended;
    },
  };
}
