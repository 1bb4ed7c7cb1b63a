import { BulkheadError } from "#contracts/errors.ts";
import { decideDeadlines, leaseOf } from "./deadlines.ts";
import type { CoreDeps } from "./deps.ts";
import type { Ender } from "./end.ts";
import { statusDeadlineMs } from "./lifecycle.ts";
import type { Endpoint, InstanceRecord, Principal, SandboxRecord, TemplateRecord } from "./model.ts";
import { takeQuota } from "./quota.ts";
import { makeUndo, type Undo } from "./saga.ts";

/** What a caller asks for. */
export interface CreateInput {
  readonly template: { readonly name: string } | { readonly id: string };
  readonly region?: string;
  /** null: none. */
  readonly timeoutSeconds: number | null;
  readonly idleTimeoutSeconds?: number;
  readonly maxLifetimeSeconds?: number;
  readonly internetAccess: boolean;
  /** Values are secrets: handed to the agent, never stored or logged. */
  readonly env: Readonly<Record<string, string>>;
}

export interface Creator {
  /**
   * Makes a sandbox: quota, instance, record, activation. A cold start that takes longer than the configured wait answers with status
   * `creating` and goes on behind the answer. When it throws, everything is undone.
   */
  create(principal: Principal, input: CreateInput, sandboxId: string): Promise<SandboxRecord>;
}

/** Warm instances that fail to activate are replaced this often before a cold start. */
const warmAttempts = 3;

export function makeCreator(deps: CoreDeps, ender: Ender): Creator {
  const { config, ports } = deps;
  const { sandboxes, clock, logger, events } = ports;

  async function activate(record: SandboxRecord, endpoint: Endpoint | null, input: CreateInput): Promise<void> {
    if (endpoint === null) throw new BulkheadError("AGENT_UNREACHABLE", "The instance has no address. Try again.");
    await ports.agent.activate(endpoint, {
      sandbox_id: record.id,
      env: { ...input.env },
      lease: leaseOf(record.deadlines),
      internet_access: record.internetAccess,
      resources: record.resources,
    });
  }

  /** One conditional write claims; then the record is written while the agent is activated. */
  async function createWarm(draft: SandboxRecord, input: CreateInput, undo: Undo): Promise<SandboxRecord | null> {
    for (let attempt = 0; attempt < warmAttempts; attempt += 1) {
      const instance = await deps.pool.claim(draft.templateName, draft.id);
      if (instance === null) return null;
      const record = running(draft, instance, clock.now());
      const [inserted, activated] = await Promise.allSettled([
        attempt === 0 ? sandboxes.insert(record) : sandboxes.replace({ ...record, version: attempt + 1 }),
        activate(record, instance.endpoint, input),
      ]);
      undo.add("sandbox record", () => ender.end(draft.id, "create_failed"));
      if (activated.status === "fulfilled" && inserted.status === "fulfilled" && inserted.value === "written") {
        return { ...record, version: attempt + 1 };
      }
      logger.warn("warm instance not usable", {
        instance: instance.id,
        reason: failureOf(activated) ?? failureOf(inserted),
      });
      await deps.instances.end(instance.id);
      if (inserted.status === "rejected") throw inserted.reason;
      if (inserted.value === "lost")
        throw new BulkheadError("CONFLICT", "The sandbox was ended while it was being created.");
    }
    return null;
  }

  async function createCold(
    draft: SandboxRecord,
    template: TemplateRecord,
    input: CreateInput,
  ): Promise<SandboxRecord> {
    const stored = await sandboxes.get(draft.id);
    const creating: SandboxRecord = { ...draft, version: (stored?.version ?? 0) + 1 };
    const written =
      stored === undefined
        ? await sandboxes.insert(creating)
        : await sandboxes.replace({ ...creating, createdAt: stored.createdAt });
    if (written === "lost") throw endedMeanwhile();
    const instance = await deps.instances.start(template, draft.id);
    const record: SandboxRecord = { ...running(creating, instance, clock.now()), version: creating.version + 1 };
    try {
      await activate(record, instance.endpoint, input);
      if ((await sandboxes.replace(record)) === "lost") throw endedMeanwhile();
      return record;
    } catch (thrown) {
      await deps.instances.end(instance.id);
      throw thrown;
    }
  }

  async function make(
    draft: SandboxRecord,
    template: TemplateRecord,
    input: CreateInput,
    undo: Undo,
  ): Promise<SandboxRecord> {
    try {
      const warm = await createWarm(draft, input, undo);
      if (warm === null) undo.add("sandbox record", () => ender.end(draft.id, "create_failed"));
      const record = warm ?? (await createCold(draft, template, input));
      if (record.instanceId !== null) {
        events.publish({ type: "instance.claimed", instanceId: record.instanceId, templateName: template.name });
      }
      events.publish({ type: "sandbox.running", sandboxId: record.id });
      return record;
    } catch (thrown) {
      await undo.run();
      throw thrown;
    }
  }

  return {
    async create(principal, input, sandboxId) {
      const template = await findTemplate(deps, input.template);
      const draft = makeDraft(deps, principal, input, template, sandboxId);
      const undo = makeUndo(logger);
      await takeQuota(deps, principal.projectId);
      // Ending the record returns the quota; this undo is for the time before there is one.
      undo.add("quota", async () => {
        if ((await sandboxes.get(sandboxId)) === undefined) await sandboxes.returnQuota(principal.projectId);
      });
      const made = make(draft, template, input, undo);
      const answered = await firstOf(made, clock.sleep(config.createWaitMs));
      if (answered !== null) return answered;
      made.catch((error: unknown) =>
        logger.error("create failed after it was answered", { sandbox: sandboxId, error }),
      );
      return (await sandboxes.get(sandboxId)) ?? draft;
    },
  };
}

function makeDraft(
  deps: CoreDeps,
  principal: Principal,
  input: CreateInput,
  template: TemplateRecord,
  id: string,
): SandboxRecord {
  const now = deps.ports.clock.now();
  return {
    id,
    projectId: principal.projectId,
    createdByKeyId: principal.keyId,
    templateName: template.name,
    templateId: template.id,
    region: input.region ?? deps.config.region,
    status: "creating",
    statusDeadlineAt: now + (statusDeadlineMs.creating ?? 0),
    instanceId: null,
    resources: template.resources,
    enforced: null,
    internetAccess: input.internetAccess,
    deadlines: decideDeadlines(input, template, deps.config, now),
    createdAt: now,
    startedAt: null,
    lastActivityAt: now,
    endedAt: null,
    endReason: null,
    tokenGeneration: 1,
    version: 1,
    expiresAtSeconds: null,
  };
}

function running(draft: SandboxRecord, instance: InstanceRecord, now: number): SandboxRecord {
  return {
    ...draft,
    status: "running",
    statusDeadlineAt: null,
    instanceId: instance.id,
    enforced: instance.enforced,
    startedAt: now,
    lastActivityAt: now,
  };
}

async function findTemplate(deps: CoreDeps, asked: CreateInput["template"]): Promise<TemplateRecord> {
  const nameOrId = "name" in asked ? asked.name : asked.id;
  const template = await deps.ports.templates.get(nameOrId);
  if (template === undefined) {
    throw new BulkheadError(
      "TEMPLATE_NOT_FOUND",
      `Template ${nameOrId} not found. List the templates with GET /v1/templates.`,
    );
  }
  if (template.status === "active") return template;
  throw new BulkheadError(
    "SERVICE_UNAVAILABLE",
    template.problem ?? `Template ${template.name} is still being prepared. Try again in a minute.`,
    { details: { template: template.name, template_status: template.status, retry_after_seconds: 10 } },
  );
}

function endedMeanwhile(): BulkheadError {
  return new BulkheadError("CONFLICT", "The sandbox was ended while it was being created.");
}

function failureOf(result: PromiseSettledResult<unknown>): unknown {
  return result.status === "rejected" ? result.reason : null;
}

/** The value of `work`, or null when `limit` comes first. */
function firstOf<T>(work: Promise<T>, limit: Promise<void>): Promise<T | null> {
  return Promise.race([work, limit.then(() => null)]);
}
