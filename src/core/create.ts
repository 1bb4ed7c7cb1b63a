import { BulkheadError } from "#contracts/errors.ts";
import { activateSandbox } from "./activate.ts";
import type { Entry } from "./audit.ts";
import { makeElsewhere } from "./create-elsewhere.ts";
import { activation, leaseOf } from "./deadlines.ts";
import { rememberDelivered } from "./delivered-secrets.ts";
import type { CoreDeps } from "./deps.ts";
import { type CreateInput, findTemplate, makeDraft, running } from "./draft.ts";
import type { Ender } from "./end.ts";
import { makeGate } from "./gate.ts";
import { isOver } from "./lifecycle.ts";
import type { Deadlines, InstanceRecord, Principal, SandboxRecord, TemplateRecord } from "./model.ts";
import { takeQuota } from "./quota.ts";
import { makeUndo, type Undo } from "./saga.ts";
import { startEnv } from "./start-env.ts";
import { within } from "./within.ts";

export interface Creator {
  /**
   * Makes a sandbox: quota, instance, record, activation. A cold start that takes longer than the configured wait answers with status
   * `creating` and goes on behind the answer; `onLateFailure` runs when it fails there. When create throws, everything is undone.
   */
  create(
    principal: Principal,
    input: CreateInput,
    sandboxId: string,
    entry: Entry,
    onLateFailure?: () => Promise<void>,
  ): Promise<SandboxRecord>;
  /** Tells that an instance died. True when a create at work here was to use it: that create deals with it, by another instance or by failing. */
  instanceDied(sandboxId: string, instanceId: string): boolean;
  /** From now on also those fail that wait for their turn. */
  close(): void;
  /** Resolves when none of the creates that are at work now is any more. */
  settled(): Promise<void>;
}

/** Warm instances that fail to activate are replaced this often before a cold start. */
const warmAttempts = 3;

/** One create at work. */
export interface Making {
  readonly draft: SandboxRecord;
  readonly template: TemplateRecord;
  /** With the values of secrets. */
  readonly env: Readonly<Record<string, string>>;
  readonly entry: Entry;
  /** The record as this create last saw it stored, null before there is one. */
  stored: SandboxRecord | null;
  /** Instances that ended by themselves meanwhile. */
  readonly died: Set<string>;
}

export function makeCreator(deps: CoreDeps, ender: Ender): Creator {
  const { config, ports } = deps;
  const { sandboxes, clock, logger } = ports;
  const gate = makeGate(clock, config.createConcurrency);
  const closing = new AbortController();
  const atWork = new Map<string, { readonly making: Making; readonly made: Promise<unknown> }>();

  async function activate(making: Making, instance: InstanceRecord, deadlines: Deadlines): Promise<void> {
    await activateSandbox(deps, endpointOf(instance), activation(making.draft, making.env, deadlines), making.draft);
  }

  /**
   * Writes the record's next version. What somebody else changed meanwhile, e.g. its timeout, stays.
   * @throws BulkheadError CONFLICT when somebody ended the sandbox
   */
  async function write(making: Making, change: Partial<SandboxRecord>): Promise<SandboxRecord> {
    for (;;) {
      const { stored } = making;
      const next =
        stored === null ? { ...making.draft, ...change } : { ...stored, ...change, version: stored.version + 1 };
      const written =
        stored === null
          ? await sandboxes.insert(next, making.entry(next.id, { policy: next.network }))
          : await sandboxes.replace(next);
      if (written === "written") {
        making.stored = next;
        return next;
      }
      const current = await sandboxes.get(next.id);
      if (current === undefined || current.projectId !== next.projectId || isOver(current.status)) {
        throw new BulkheadError("CONFLICT", "The sandbox was ended while it was being created.");
      }
      making.stored = current;
    }
  }

  /** Best effort: an instance that cannot be ended now belongs to no living sandbox, and the sweeper finds it. */
  async function discard(instance: InstanceRecord): Promise<void> {
    try {
      await deps.instances.end(instance.id);
    } catch (error) {
      logger.error("instance of a failed create not ended, left to the sweeper", { instance: instance.id, error });
    }
  }

  /** Gives the agent deadlines that changed while it was activated, and tells those who let traffic in and out. */
  async function open(record: SandboxRecord, instance: InstanceRecord, activated: Deadlines): Promise<SandboxRecord> {
    const endpoint = endpointOf(instance);
    if (record.deadlines !== activated) await ports.agent.renew(endpoint, leaseOf(record.deadlines));
    ports.events.publish({ type: "sandbox.running", record, endpoint });
    return record;
  }

  /** One conditional write claims; then the record is written while the agent is activated. */
  async function makeWarm(making: Making): Promise<SandboxRecord | null> {
    const { draft } = making;
    // A silent agent takes as long as a call to it may take. What the caller is told of in the end must not still be at work then.
    const giveUpAt = draft.createdAt + config.createWaitMs / 2;
    for (let attempt = 0; attempt < warmAttempts && (attempt === 0 || clock.now() < giveUpAt); attempt += 1) {
      const instance = await deps.pool.claim(draft.templateName, draft.id);
      if (instance === null) return null;
      const deadlines = making.stored?.deadlines ?? draft.deadlines;
      const [written, activated] = await Promise.allSettled([
        write(making, running(instance, clock.now())),
        activate(making, instance, deadlines),
      ]);
      if (written.status === "fulfilled" && activated.status === "fulfilled" && !making.died.has(instance.id)) {
        return open(written.value, instance, deadlines);
      }
      logger.warn("warm instance not usable", {
        instance: instance.id,
        died: making.died.has(instance.id),
        error: activated.status === "rejected" ? activated.reason : null,
      });
      await discard(instance);
      if (written.status === "rejected") throw written.reason;
    }
    return null;
  }

  async function makeCold(making: Making): Promise<SandboxRecord> {
    // After failed warm instances this takes back their `running`, of which no caller was told.
    await write(making, {
      status: "creating",
      statusDeadlineAt: making.draft.statusDeadlineAt,
      instanceId: null,
      enforced: null,
      startedAt: null,
    });
    const instance = await deps.instances.start(making.template, making.draft.id);
    try {
      const deadlines = making.stored?.deadlines ?? making.draft.deadlines;
      await activate(making, instance, deadlines);
      return await open(await write(making, running(instance, clock.now())), instance, deadlines);
    } catch (thrown) {
      await discard(instance);
      throw thrown;
    }
  }

  /** A host without room may be full of an instance that the pool is starting just now: that one is waited for. */
  async function makeWarmOrCold(making: Making): Promise<SandboxRecord> {
    const giveUpAt = clock.now() + config.createWaitMs / 2;
    for (;;) {
      const warm = await makeWarm(making);
      if (warm !== null) return warm;
      if (config.launching === "elsewhere") return makeElsewhere(deps, making, (change) => write(making, change));
      const hope = () => deps.pool.starting(making.template.name) > 0;
      const hoped = hope();
      try {
        return await makeCold(making);
      } catch (thrown) {
        if (!isFull(thrown) || !(hoped || hope()) || clock.now() >= giveUpAt) throw thrown;
        await clock.sleep(100);
      }
    }
  }

  async function make(making: Making, undo: Undo): Promise<SandboxRecord> {
    const { id } = making.draft;
    undo.add("sandbox record", () => ender.end(id, "create_failed"));
    let leave = () => {};
    try {
      // Half of the wait: what comes after the gate needs the rest.
      leave = await gate.enter(config.createWaitMs / 2);
      if (closing.signal.aborted) throw shuttingDown();
      const record = await makeWarmOrCold(making);
      if (record.instanceId !== null && making.died.has(record.instanceId)) throw diedAtOnce();
      atWork.delete(id);
      return record;
    } catch (thrown) {
      await undo.run();
      atWork.delete(id);
      throw thrown;
    } finally {
      leave();
    }
  }

  return {
    async create(principal, input, sandboxId, entry, onLateFailure) {
      if (closing.signal.aborted) throw shuttingDown();
      const { made, making } = await begin(principal, input, sandboxId, entry);
      return answer(made, making, onLateFailure);
    },
    instanceDied(sandboxId, instanceId) {
      const work = atWork.get(sandboxId);
      work?.making.died.add(instanceId);
      return work !== undefined;
    },
    close: () => closing.abort(),
    async settled() {
      await Promise.allSettled([...atWork.values()].map((work) => work.made));
    },
  };

  /** Takes the quota and sets the create to work. */
  async function begin(principal: Principal, input: CreateInput, sandboxId: string, entry: Entry) {
    const template = await findTemplate(deps, input.template);
    const draft = makeDraft(deps, principal, input, template, sandboxId);
    const env = await startEnv(deps, draft, input);
    rememberDelivered(ports.secretValues, draft, env);
    const undo = makeUndo(logger);
    await takeQuota(deps, principal.projectId);
    // Ending the record returns the quota; this undo is for the time before there is one.
    undo.add("quota", async () => {
      if ((await sandboxes.get(sandboxId)) === undefined) await sandboxes.returnQuota(principal.projectId);
    });
    const making: Making = { draft, template, env, entry, stored: null, died: new Set() };
    return { making, made: start(making, undo) };
  }

  /** The finished sandbox, or after the configured wait what there is of it. */
  async function answer(
    made: Promise<SandboxRecord>,
    making: Making,
    onLateFailure?: () => Promise<void>,
  ): Promise<SandboxRecord> {
    const answered = await within(clock, made, config.createWaitMs);
    if (answered !== "late") return answered.value;
    const sandbox = making.draft.id;
    made.catch((error: unknown) => {
      logger.error("create failed after it was answered", { sandbox, error });
      onLateFailure?.().catch((unreleased: unknown) =>
        logger.error("failed create not cleaned up", { sandbox, error: unreleased }),
      );
    });
    return making.stored ?? making.draft;
  }

  function start(making: Making, undo: Undo): Promise<SandboxRecord> {
    // Known as at work before its first step.
    const made = Promise.resolve().then(() => make(making, undo));
    atWork.set(making.draft.id, { making, made });
    return made;
  }
}

function endpointOf(instance: InstanceRecord) {
  if (instance.endpoint !== null) return instance.endpoint;
  throw new BulkheadError("AGENT_UNREACHABLE", "The instance has no address. Try again.");
}

function isFull(thrown: unknown): boolean {
  return thrown instanceof BulkheadError && thrown.code === "CAPACITY_EXHAUSTED";
}

function shuttingDown(): BulkheadError {
  return new BulkheadError("SERVICE_UNAVAILABLE", "The platform is shutting down. Try again when it is back.");
}

function diedAtOnce(): BulkheadError {
  return new BulkheadError("AGENT_UNREACHABLE", "The instance ended while the sandbox was being created. Try again.");
}
