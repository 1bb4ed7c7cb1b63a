import type { EndReason } from "#contracts/domain.ts";
import { overdue } from "./deadlines.ts";
import type { CoreDeps } from "./deps.ts";
import { diskOf } from "./disk.ts";
import { each } from "./each.ts";
import type { Ender } from "./end.ts";
import { isOver } from "./lifecycle.ts";
import type { SandboxRecord } from "./model.ts";
import type { Placing } from "./placing.ts";
import { enforceHold } from "./quarantine/enforce.ts";
import { isRestarting, settleStopped } from "./settle-stopped.ts";
import { makeSuspects } from "./suspects.ts";
import { makeDiskSweeper } from "./sweep-disks.ts";
import { makeInstanceSweeper } from "./sweep-instances.ts";
import { makeQuotaSweeper } from "./sweep-quota.ts";
import { lookAround, type World } from "./sweep-world.ts";

export interface SweepReport {
  readonly ended: number;
  /** Instances and disks that somebody should have ended before, or that nobody knew of. */
  readonly leaked: number;
  /**
   * Instances that were replaced for their age, are more than the pool holds, heard late of their place, or never started; disks of
   * sandboxes that ended where their files could not be removed.
   */
  readonly renewed: number;
  readonly quotaRepairs: number;
  readonly failures: number;
  /** Sandboxes that were live when it began. */
  readonly live: number;
}

export interface Sweeper {
  /** One pass: ends what is overdue or stuck, and makes records and provider truth agree, both ways. Safe to run twice at once. */
  sweepOnce(): Promise<SweepReport>;
}

/** What does not fit must still not fit after this long before it is ended: creating and ending take several steps. */
const graceMs = 15_000;
/** Things looked after at the same time. */
const width = 8;

export function makeSweeper(deps: CoreDeps, ender: Ender, placing: Placing): Sweeper {
  const { ports } = deps;
  const { clock, logger } = ports;
  const suspects = makeSuspects(clock, graceMs);
  const instanceSweeper = makeInstanceSweeper(deps, suspects, placing);
  const diskSweeper = makeDiskSweeper(deps, suspects);
  const quotaSweeper = makeQuotaSweeper(deps, suspects);

  /** Idle by our record: the agent may have seen activity that no gateway reported. */
  async function reallyIdle(record: SandboxRecord, world: World): Promise<boolean> {
    const instance = record.instanceId === null ? undefined : world.instances.get(record.instanceId);
    if (instance?.endpoint == null) return true;
    try {
      const state = await ports.agent.health(instance.endpoint, 2_000);
      // Whoever resumed it died before the agent heard of it.
      if (state.frozen === true) {
        if ((await ports.sandboxes.get(record.id))?.status !== "running") return false;
        await ports.agent.thaw(instance.endpoint);
      }
      if (state.active_executions === 0 && state.last_activity_at <= record.lastActivityAt) return true;
      // What an agent says is not trusted further than the present.
      const seenAt = state.active_executions > 0 ? clock.now() : Math.min(state.last_activity_at, clock.now());
      await ports.sandboxes.touch(record.id, seenAt);
      return false;
    } catch {
      // An agent that does not answer is not active.
      return true;
    }
  }

  /** Ends it if `why`, asked again of the record as it is stored by then, still agrees: a caller may just have extended it. */
  async function endIf(record: SandboxRecord, why: (fresh: SandboxRecord) => EndReason | null): Promise<boolean> {
    if (why(record) === null) return false;
    const after = await ender.end(record.id, why);
    return after !== undefined && after.endedAt !== null;
  }

  /** It was never told to stand still, or not for long: whoever paused it died in between, or its process was woken by another. */
  async function keepFrozen(record: SandboxRecord, world: World): Promise<void> {
    const endpoint = record.instanceId === null ? null : world.instances.get(record.instanceId)?.endpoint;
    if (endpoint == null) return;
    const state = await ports.agent.health(endpoint, 2_000).catch(() => undefined);
    if (state === undefined || state.frozen === true) return;
    await ports.agent.freeze(endpoint);
    const fresh = await ports.sandboxes.get(record.id);
    if (fresh?.status === "running" && fresh.instanceId === record.instanceId) await ports.agent.thaw(endpoint);
  }

  /** Whoever held it may have died before its processes stood still and its agent knew until when. */
  async function keepHeld(record: SandboxRecord): Promise<void> {
    const fresh = await ports.sandboxes.get(record.id);
    if (fresh !== undefined && fresh.quarantine !== null && !isOver(fresh.status)) await enforceHold(ports, fresh);
  }

  /** Its files went with its last instance, which died while it was being stopped. */
  async function lostFiles(record: SandboxRecord, world: World): Promise<boolean> {
    const { diskId } = record;
    const inUse = [...world.instances.values()].some((instance) => diskOf(instance) === diskId);
    if (diskId === null || inUse || world.disks.includes(diskId) || !suspects.confirmed(`files of ${record.id}`))
      return false;
    return !(await ports.compute.listDisks()).includes(diskId);
  }

  async function settled(record: SandboxRecord): Promise<boolean> {
    await settleStopped(deps, ender, record.id, record.instanceId);
    return false;
  }

  const stuck = (record: SandboxRecord) => record.statusDeadlineAt !== null && record.statusDeadlineAt <= clock.now();

  async function sweepSandbox(record: SandboxRecord, world: World): Promise<boolean> {
    if (record.status === "deleting") {
      return stuck(record) && (await ender.end(record.id, record.endReason ?? "killed"))?.endedAt != null;
    }
    if (record.status === "creating" && stuck(record)) {
      if (isRestarting(record)) return settled(record);
      return endIf(record, (fresh) => (fresh.status === "creating" && stuck(fresh) ? "create_failed" : null));
    }
    const lost = record.status === "creating" && record.instanceId !== null && !world.instances.has(record.instanceId);
    if (lost && suspects.confirmed(`creating ${record.id}`)) {
      if (isRestarting(record)) return settled(record);
      return endIf(record, (fresh) => (fresh.status === "creating" ? "create_failed" : null));
    }
    const due = overdue(record, clock.now());
    if (due === "idle" && !(await reallyIdle(record, world))) return false;
    if (due !== null) return endIf(record, (fresh) => (overdue(fresh, clock.now()) === due ? due : null));
    if (record.status === "stopped" && (await lostFiles(record, world))) {
      return endIf(record, (fresh) =>
        fresh.status === "stopped" && fresh.version === record.version ? "task_failed" : null,
      );
    }
    if (record.quarantine !== null) await keepHeld(record);
    else if (record.status === "paused") await keepFrozen(record, world);
    const lives = record.status === "running" || record.status === "paused";
    const gone = lives && (record.instanceId === null || !world.truth.has(record.instanceId));
    if (!gone || !suspects.confirmed(`sandbox ${record.id}`)) return false;
    return endIf(record, (fresh) => (fresh.instanceId === record.instanceId ? "task_failed" : null));
  }

  return {
    async sweepOnce() {
      const world = await lookAround(ports);
      const tally = { ended: 0, leaked: 0, renewed: 0, quotaRepairs: 0, failures: 0 };
      const sweep = <T>(items: Iterable<T>, act: (item: T) => Promise<keyof typeof tally | null>) =>
        each(items, width, async (item) => {
          try {
            const done = await act(item);
            if (done !== null) tally[done] += 1;
          } catch (error) {
            tally.failures += 1;
            logger.error("sweep step failed, repeated with the next sweep", { error });
          }
        });
      await sweep(world.sandboxes.values(), async (record) => ((await sweepSandbox(record, world)) ? "ended" : null));
      await sweep(world.instances.values(), (record) => instanceSweeper.sweepRecord(record, world));
      await sweep([...world.truth.values(), ...world.remains], (truth) => instanceSweeper.sweepTruth(truth, world));
      await sweep(world.disks, (disk) => diskSweeper.sweep(disk, world));
      const live = [...world.sandboxes.values()].map((record) => record.projectId);
      const projects = new Set([...deps.recount, ...(deps.config.projects ?? []), ...live]);
      await sweep(await quotaSweeper.count(projects), async (count) =>
        (await quotaSweeper.repair(count)) ? "quotaRepairs" : null,
      );
      suspects.forgetUnseen();
      if (tally.ended + tally.leaked + tally.renewed > 0) deps.pool.refill();
      return { ...tally, live: world.sandboxes.size };
    },
  };
}
