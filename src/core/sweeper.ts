import { overdue } from "./deadlines.ts";
import type { CoreDeps } from "./deps.ts";
import type { Ender } from "./end.ts";
import type { InstanceRecord, SandboxRecord } from "./model.ts";
import type { InstanceTruth } from "./ports.ts";
import { makeSuspects } from "./suspects.ts";

export interface SweepReport {
  readonly ended: number;
  readonly reconciled: number;
  readonly failures: number;
}

export interface Sweeper {
  /** One pass: ends what is overdue or stuck, and makes records and provider truth agree, both ways. Safe to run twice at once. */
  sweepOnce(): Promise<SweepReport>;
}

/** What does not fit must still not fit after this long before it is ended: creating and ending take several steps. */
const graceMs = 15_000;

interface World {
  readonly sandboxes: ReadonlyMap<string, SandboxRecord>;
  readonly instances: ReadonlyMap<string, InstanceRecord>;
  readonly truth: ReadonlyMap<string, InstanceTruth>;
}

export function makeSweeper(deps: CoreDeps, ender: Ender): Sweeper {
  const { ports } = deps;
  const { clock, logger } = ports;
  const suspects = makeSuspects(clock, graceMs);
  const projects = new Set<string>();

  async function look(): Promise<World> {
    const truth = new Map((await ports.compute.list()).map((one) => [one.instanceId, one]));
    const instances = new Map<string, InstanceRecord>();
    for await (const record of ports.instances.listAll()) instances.set(record.id, record);
    const sandboxes = new Map<string, SandboxRecord>();
    for await (const record of ports.sandboxes.listLive()) sandboxes.set(record.id, record);
    return { sandboxes, instances, truth };
  }

  /** Idle by our record: the agent may have seen activity that no gateway reported. */
  async function reallyIdle(record: SandboxRecord, instance: InstanceRecord | undefined): Promise<boolean> {
    if (instance?.endpoint == null) return true;
    try {
      const state = await ports.agent.health(instance.endpoint, 2_000);
      if (state.active_executions === 0 && state.last_activity_at <= record.lastActivityAt) return true;
      await ports.sandboxes.touch(record.id, state.active_executions > 0 ? clock.now() : state.last_activity_at);
      return false;
    } catch {
      // An agent that does not answer is not active.
      return true;
    }
  }

  async function sweepSandbox(record: SandboxRecord, world: World): Promise<boolean> {
    const now = clock.now();
    const stuck = record.statusDeadlineAt !== null && record.statusDeadlineAt <= now;
    if (record.status === "creating" && stuck) return (await ender.end(record.id, "create_failed")) !== undefined;
    if (record.status === "deleting")
      return stuck && (await ender.end(record.id, record.endReason ?? "killed")) !== undefined;
    const due = overdue(record, now);
    const instance = record.instanceId === null ? undefined : world.instances.get(record.instanceId);
    if (due === "idle" && !(await reallyIdle(record, instance))) return false;
    if (due !== null) return (await ender.end(record.id, due)) !== undefined;
    const gone = record.status === "running" && (record.instanceId === null || !world.truth.has(record.instanceId));
    if (gone && suspects.confirmed(`sandbox ${record.id}`))
      return (await ender.end(record.id, "task_failed")) !== undefined;
    return false;
  }

  async function sweepInstance(record: InstanceRecord, world: World): Promise<boolean> {
    const stuck = record.stateDeadlineAt !== null && record.stateDeadlineAt <= clock.now();
    const gone = record.state === "warm" && !world.truth.has(record.id);
    const orphan = record.sandboxId !== null && !world.sandboxes.has(record.sandboxId);
    if (!stuck && !((gone || orphan) && suspects.confirmed(`instance ${record.id}`))) return false;
    logger.warn("instance ended by the sweeper", { instance: record.id, state: record.state, stuck, gone, orphan });
    await deps.instances.end(record.id);
    return true;
  }

  async function sweepTruth(truth: InstanceTruth, world: World): Promise<boolean> {
    if (world.instances.has(truth.instanceId) || !suspects.confirmed(`truth ${truth.instanceId}`)) return false;
    if ((await ports.instances.get(truth.instanceId)) !== undefined) return false;
    logger.warn("instance without a record ended by the sweeper", { instance: truth.instanceId });
    await ports.compute.stop(truth.instanceId);
    return true;
  }

  /** A counter that has differed from the count for the grace time is set right, unless it moves meanwhile. */
  async function sweepQuota(projectId: string, world: World): Promise<boolean> {
    const live = [...world.sandboxes.values()].filter((record) => record.projectId === projectId).length;
    const counted = await ports.sandboxes.quotaInUse(projectId);
    if (counted === live || !suspects.confirmed(`quota ${projectId} ${counted - live}`)) return false;
    logger.warn("quota counter repaired", { project: projectId, counted, live });
    return (await ports.sandboxes.repairQuota(projectId, counted, live)) === "written";
  }

  return {
    async sweepOnce() {
      const world = await look();
      for (const record of world.sandboxes.values()) projects.add(record.projectId);
      const tally = { ended: 0, reconciled: 0, failures: 0 };
      const each = async <T>(items: Iterable<T>, count: "ended" | "reconciled", act: (item: T) => Promise<boolean>) => {
        for (const item of items) {
          try {
            if (await act(item)) tally[count] += 1;
          } catch (error) {
            tally.failures += 1;
            logger.error("sweep step failed, repeated with the next sweep", { error });
          }
        }
      };
      await each(world.sandboxes.values(), "ended", (record) => sweepSandbox(record, world));
      await each(world.instances.values(), "reconciled", (record) => sweepInstance(record, world));
      await each(world.truth.values(), "reconciled", (truth) => sweepTruth(truth, world));
      await each(projects, "reconciled", (projectId) => sweepQuota(projectId, world));
      suspects.forgetUnseen();
      if (tally.ended + tally.reconciled > 0) deps.pool.refill();
      return tally;
    },
  };
}
