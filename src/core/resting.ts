import { BulkheadError } from "#contracts/errors.ts";
import { activateSandbox } from "./activate.ts";
import { creatingDeadlineMs } from "./config.ts";
import { standInLine } from "./create-elsewhere.ts";
import { activation, leaseOf } from "./deadlines.ts";
import { rememberDelivered } from "./delivered-secrets.ts";
import type { CoreDeps } from "./deps.ts";
import { diskOf } from "./disk.ts";
import { findTemplate, running } from "./draft.ts";
import type { Ender } from "./end.ts";
import { findLiveSandbox, sandboxEnded } from "./find.ts";
import { isOver } from "./lifecycle.ts";
import type { InstanceRecord, Principal, SandboxRecord } from "./model.ts";
import { settleStopped } from "./settle-stopped.ts";

export interface Resting {
  /**
   * Ends the instance; files, environment and deadlines stay. Safe to repeat.
   * @throws BulkheadError SANDBOX_BUSY | AGENT_UNREACHABLE | RESOURCE_LIMIT_ERROR for an environment too large to keep, SANDBOX_EXPIRED
   * when the instance has just ended by itself, and its files with it
   */
  stop(principal: Principal, id: string): Promise<SandboxRecord>;
  /**
   * A new instance on the same files. Answers `creating` where instances are launched elsewhere and it takes longer than a create may.
   * Safe to repeat. @throws BulkheadError what a launch throws: the sandbox is stopped then, with its files
   */
  start(principal: Principal, id: string): Promise<SandboxRecord>;
}

const pollMs = 250;
/** Characters of a sealed environment that fit into a record: a stored item is at most 400 KB, and this is most of it. */
const longestSealed = 360_000;

export function makeResting(deps: CoreDeps, ender: Ender): Resting {
  const { ports, config } = deps;
  const { sandboxes, clock, logger } = ports;

  /** What the sandbox's code has made of its environment, sealed until an agent has it again. */
  async function sealedEnv(record: SandboxRecord, instance: InstanceRecord): Promise<string | null> {
    if (instance.endpoint === null) return null;
    const env = await ports.agent.env(instance.endpoint);
    if (Object.keys(env).length === 0) return null;
    const sealed = await ports.vault.seal(env, { sandboxId: record.id, projectId: record.projectId });
    if (sealed.length <= longestSealed) return sealed;
    throw new BulkheadError(
      "RESOURCE_LIMIT_ERROR",
      "The sandbox's variables are over the limit of what is kept while it is stopped. Make them smaller, or pause it instead.",
      { details: { sealed_bytes: sealed.length, limit: longestSealed } },
    );
  }

  async function stop(principal: Principal, id: string): Promise<SandboxRecord> {
    for (;;) {
      const record = await findLiveSandbox(sandboxes, { principal, permission: "sandboxes:update", id });
      if (record.status === "stopped") return record;
      if (record.status === "creating") throw creating(record);
      const instance = record.instanceId === null ? undefined : await ports.instances.get(record.instanceId);
      if (instance === undefined) throw new BulkheadError("AGENT_UNREACHABLE", "The sandbox's instance is gone.");
      const stopped: SandboxRecord = {
        ...record,
        status: "stopped",
        statusDeadlineAt: null,
        diskId: diskOf(instance),
        instanceId: null,
        enforced: null,
        sealedEnv: await sealedEnv(record, instance),
        version: record.version + 1,
      };
      if ((await sandboxes.replace(stopped)) === "lost") continue;
      ports.events.publish({ type: "sandbox.resting", record: stopped, endpoint: null });
      await endInstance(record, stopped, instance);
      return stopped;
    }
  }

  /** A host that cannot keep files says so before it has ended anything: the sandbox runs on. */
  async function endInstance(before: SandboxRecord, stopped: SandboxRecord, instance: InstanceRecord): Promise<void> {
    try {
      await deps.instances.end(instance.id);
    } catch (thrown) {
      if (thrown instanceof BulkheadError && thrown.code === "INVALID_REQUEST" && instance.endpoint !== null) {
        const back = { ...before, version: stopped.version + 1 };
        if ((await sandboxes.replace(back)) === "written") {
          const type = back.status === "paused" ? "sandbox.resting" : "sandbox.running";
          ports.events.publish({ type, record: back, endpoint: instance.endpoint });
        }
        throw thrown;
      }
      if (thrown instanceof BulkheadError && thrown.code === "CONFLICT") {
        const ended = await ender.end(before.id, (fresh) =>
          fresh.status === "stopped" && fresh.version === stopped.version ? "task_failed" : null,
        );
        throw ended !== undefined && isOver(ended.status) ? sandboxEnded(ended) : thrown;
      }
      // The sandbox is stopped, and says so; what is left of its instance the sweeper finds.
      logger.error("instance of a stopped sandbox not ended, left to the sweeper", {
        instance: instance.id,
        error: thrown,
      });
    }
  }

  /** Takes the start for this call; null when another one has it. */
  async function begin(record: SandboxRecord, instance: InstanceRecord): Promise<SandboxRecord | null> {
    const starting: SandboxRecord = {
      ...record,
      status: "creating",
      statusDeadlineAt: clock.now() + creatingDeadlineMs(config),
      instanceId: instance.id,
      lastActivityAt: clock.now(),
      version: record.version + 1,
    };
    return (await sandboxes.replace(starting)) === "written" ? starting : null;
  }

  async function startHere(starting: SandboxRecord, draft: InstanceRecord): Promise<SandboxRecord> {
    const template = await findTemplate(deps, { name: starting.templateName });
    const instance = await deps.instances.startDrafted(template, draft);
    const { endpoint } = instance;
    if (endpoint === null) throw new BulkheadError("AGENT_UNREACHABLE", "The instance has no address. Try again.");
    const { id: sandboxId, projectId, sealedEnv: sealed, deadlines } = starting;
    const env = sealed === null ? {} : await ports.vault.open(sealed, { sandboxId, projectId });
    rememberDelivered(ports.secretValues, starting, env);
    await activateSandbox(deps, endpoint, activation(starting, env, deadlines), starting);
    for (let current = starting; ; ) {
      const next = { ...current, ...running(instance, clock.now()), version: current.version + 1 };
      if ((await sandboxes.replace(next)) === "written") {
        if (next.deadlines !== deadlines) await ports.agent.renew(endpoint, leaseOf(next.deadlines));
        ports.events.publish({ type: "sandbox.running", record: next, endpoint });
        return next;
      }
      const fresh = await sandboxes.get(starting.id);
      if (fresh?.status !== "creating" || fresh.instanceId !== instance.id) throw overtaken();
      current = fresh;
    }
  }

  /** The instance's record is the order to launch it; its agent is activated by whoever hears that it is placed. */
  async function startElsewhere(starting: SandboxRecord, draft: InstanceRecord): Promise<SandboxRecord> {
    const giveUpAt = clock.now() + config.createWaitMs - pollMs;
    await standInLine(deps);
    await ports.instances.insert(draft);
    for (;;) {
      const record = await sandboxes.get(starting.id);
      if (record === undefined || isOver(record.status) || record.status === "stopped") throw notStarted();
      if (record.status !== "creating" || clock.now() >= giveUpAt) return record;
      await clock.sleep(pollMs);
    }
  }

  async function start(principal: Principal, id: string): Promise<SandboxRecord> {
    for (;;) {
      const record = await findLiveSandbox(sandboxes, { principal, permission: "sandboxes:update", id });
      if (record.status === "running" || record.status === "creating") return record;
      if (record.status === "paused") throw paused(record);
      const template = await findTemplate(deps, { name: record.templateName });
      const draft = deps.instances.draft(template, record.id, record.diskId);
      const starting = await begin(record, draft);
      if (starting === null) continue;
      try {
        return await (config.launching === "here" ? startHere(starting, draft) : startElsewhere(starting, draft));
      } catch (thrown) {
        await giveUp(starting.id, draft.id);
        throw thrown;
      }
    }
  }

  /** Never throws, so that the caller hears why the start failed. */
  async function giveUp(id: string, instanceId: string): Promise<void> {
    try {
      await settleStopped(deps, ender, id, instanceId);
    } catch (error) {
      logger.error("failed start not taken back, left to the sweeper", { sandbox: id, error });
    }
  }

  return { stop, start };
}

function creating(record: SandboxRecord): BulkheadError {
  return new BulkheadError("SANDBOX_BUSY", "The sandbox is still being started. Repeat in a few seconds.", {
    details: { sandbox_id: record.id, status: "creating", retry_after_seconds: 2 },
  });
}

function paused(record: SandboxRecord): BulkheadError {
  return new BulkheadError("SANDBOX_STOPPED", "The sandbox is paused. Resume it.", {
    details: { sandbox_id: record.id, status: "paused" },
  });
}

function overtaken(): BulkheadError {
  return new BulkheadError("CONFLICT", "The sandbox was ended while it was being started.");
}

function notStarted(): BulkheadError {
  return new BulkheadError("AGENT_UNREACHABLE", "The instance of the sandbox did not start. Try again.");
}
