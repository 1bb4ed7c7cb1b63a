import type { CoreDeps } from "./deps.ts";
import { isOver } from "./lifecycle.ts";
import type { InstanceRecord } from "./model.ts";
import type { Placing } from "./placing.ts";
import type { InstanceTruth } from "./ports.ts";
import type { Suspects } from "./suspects.ts";
import type { World } from "./sweep-world.ts";

/** A warm instance older than this makes room for a fresh one. */
const warmAgeMs = 6 * 3_600_000;
const healthMs = 2_000;
/** What is left of an instance may be on its way out: a provider lets go of a network interface within minutes. */
const stoppingMs = 180_000;

export interface InstanceSweeper {
  /** @returns what was done, null for nothing */
  sweepRecord(record: InstanceRecord, world: World): Promise<"leaked" | "renewed" | null>;
  /** What exists without a record. */
  sweepTruth(truth: InstanceTruth, world: World): Promise<"leaked" | null>;
}

export function makeInstanceSweeper(deps: CoreDeps, suspects: Suspects, placing: Placing): InstanceSweeper {
  const { ports } = deps;
  const { clock, logger } = ports;

  async function answers(record: InstanceRecord): Promise<boolean> {
    if (record.endpoint === null) return false;
    try {
      await ports.agent.health(record.endpoint, healthMs);
      return true;
    } catch {
      return false;
    }
  }

  /** Claimed for a sandbox that does not use it: its create or its stop was cut off, or it went on with another instance. */
  async function orphaned(record: InstanceRecord, world: World): Promise<boolean> {
    if (record.sandboxId === null) return false;
    const seen = world.sandboxes.get(record.sandboxId);
    const elsewhere = seen !== undefined && seen.instanceId !== null && seen.instanceId !== record.id;
    const unused = seen === undefined || seen.status === "stopped" || elsewhere;
    if (!unused || !suspects.confirmed(`orphan ${record.id}`)) return false;
    const fresh = await ports.sandboxes.get(record.sandboxId);
    return fresh === undefined || isOver(fresh.status) || fresh.instanceId !== record.id;
  }

  /** More than the pool is to hold, since it was made smaller. Where this process fills the pool itself there is never more. */
  function surplus(record: InstanceRecord, world: World): boolean {
    if (deps.config.launching === "here") return false;
    const younger = [...world.instances.values()].filter(
      ({ id, state, templateName, createdAt }) =>
        state === "warm" &&
        templateName === record.templateName &&
        (createdAt > record.createdAt || (createdAt === record.createdAt && id > record.id)),
    );
    return younger.length >= (deps.config.pool[record.templateName] ?? 0);
  }

  /** Why a warm instance is of no use to the next caller, or null. */
  async function unfit(record: InstanceRecord, world: World): Promise<string | null> {
    if (!world.truth.has(record.id)) return suspects.confirmed(`gone ${record.id}`) ? "gone" : null;
    if (clock.now() - record.createdAt > warmAgeMs) return "old";
    if (surplus(record, world) && suspects.confirmed(`surplus ${record.id}`)) return "surplus";
    if (await answers(record)) return null;
    return suspects.confirmed(`silent ${record.id}`) ? "silent" : null;
  }

  const isOverdue = ({ stateDeadlineAt }: InstanceRecord) => stateDeadlineAt !== null && stateDeadlineAt <= clock.now();

  async function problemOf(record: InstanceRecord, world: World): Promise<string | null> {
    if (isOverdue(record)) {
      return record.state === "starting" && !world.truth.has(record.id) ? "never started" : "stuck";
    }
    if (await orphaned(record, world)) return "orphaned";
    return record.state === "warm" ? unfit(record, world) : null;
  }

  /** Launched elsewhere, and the news of its place was lost. @returns whether it was told now */
  async function placeLate(record: InstanceRecord, world: World): Promise<boolean> {
    const endpoint = world.truth.get(record.id)?.endpoint ?? null;
    if (deps.config.launching === "here" || record.state !== "starting" || endpoint === null) return false;
    // One that does not answer makes this fail each time: it ends all the same.
    if (isOverdue(record)) return false;
    if (!suspects.confirmed(`unplaced ${record.id}`)) return false;
    await placing.placed(record.id, endpoint);
    return true;
  }

  return {
    async sweepRecord(record, world) {
      if (await placeLate(record, world)) return "renewed";
      const problem = await problemOf(record, world);
      if (problem === null || !(await deps.instances.retire(record))) return null;
      const planned = problem === "old" || problem === "surplus";
      // Nothing leaks of what never was, e.g. for want of room: failed launches are counted where they fail.
      const leaked = !planned && problem !== "never started";
      if (leaked) ports.signals?.raise({ type: "instance.leaked", instanceId: record.id });
      logger[planned ? "info" : "warn"]("instance ended by the sweeper", {
        instance: record.id,
        state: record.state,
        problem,
      });
      return leaked ? "leaked" : "renewed";
    },
    async sweepTruth(truth, world) {
      const patience = truth.state === "gone" ? stoppingMs : undefined;
      if (world.instances.has(truth.instanceId) || !suspects.confirmed(`truth ${truth.instanceId}`, patience))
        return null;
      if ((await ports.instances.get(truth.instanceId)) !== undefined) return null;
      logger.warn("instance without a record ended by the sweeper", { instance: truth.instanceId });
      ports.signals?.raise({ type: "instance.leaked", instanceId: truth.instanceId });
      await ports.compute.stop(truth.instanceId);
      return "leaked";
    },
  };
}
