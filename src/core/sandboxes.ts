import { makeSandboxId } from "#contracts/ids.ts";
import { requireAccess } from "./access.ts";
import { type Entry, operationOf } from "./audit.ts";
import { makeCreator } from "./create.ts";
import { createOnce } from "./create-once.ts";
import { leaseOf, withTimeout } from "./deadlines.ts";
import type { CoreDeps } from "./deps.ts";
import type { CreateInput } from "./draft.ts";
import type { Ender } from "./end.ts";
import { findLiveSandbox, findSandbox, mayEndHeld, quarantined } from "./find.ts";
import { isOver } from "./lifecycle.ts";
import type { Endpoint, Principal, RequestContext, SandboxRecord } from "./model.ts";
import { replaceNetwork } from "./network/change.ts";
import type { AskedPolicy } from "./network/policy.ts";
import { makePausing } from "./pausing.ts";
import type { Page, SandboxQuery } from "./ports.ts";
import { makeResting } from "./resting.ts";
import { makeUndelivered } from "./undelivered.ts";
import { within } from "./within.ts";

export type { CreateInput } from "./draft.ts";

export interface CreateContext extends RequestContext {
  readonly idempotencyKey: string | null;
  /** Hash of the request's body: equal requests have equal ones. */
  readonly bodyHash: string;
  /** Aborts when the caller hung up before the answer. */
  readonly signal: AbortSignal;
}

export interface IssuedToken {
  readonly token: string;
  readonly expiresAt: number;
}

export interface Created {
  readonly sandbox: SandboxRecord;
  readonly token: IssuedToken;
}

/** Where the gateway finds a sandbox. */
export interface Resolved {
  readonly record: SandboxRecord;
  readonly endpoint: Endpoint | null;
}

export interface SandboxService {
  create(principal: Principal, input: CreateInput, context: CreateContext): Promise<Created>;
  /** @throws BulkheadError SANDBOX_NOT_FOUND for another project's too, SANDBOX_EXPIRED for an ended one */
  get(principal: Principal, id: string, context: RequestContext): Promise<SandboxRecord>;
  list(principal: Principal, query: SandboxQuery, context: RequestContext): Promise<Page<SandboxRecord>>;
  /** Ends it; an ended one stays as it is. @throws BulkheadError SANDBOX_NOT_FOUND */
  kill(principal: Principal, id: string, context: RequestContext): Promise<SandboxRecord>;
  /** Counts from now; null clears. */
  setTimeout(
    principal: Principal,
    id: string,
    timeoutSeconds: number | null,
    context: RequestContext,
  ): Promise<SandboxRecord>;
  /** See {@link Pausing} and {@link Resting}. */
  pause(principal: Principal, id: string, context: RequestContext): Promise<SandboxRecord>;
  resume(principal: Principal, id: string, context: RequestContext): Promise<SandboxRecord>;
  stop(principal: Principal, id: string, context: RequestContext): Promise<SandboxRecord>;
  start(principal: Principal, id: string, context: RequestContext): Promise<SandboxRecord>;
  /** Replaces what it may reach; see {@link replaceNetwork}. */
  setNetwork(
    principal: Principal,
    id: string,
    policy: AskedPolicy,
    expected: number | null,
    context: RequestContext,
  ): Promise<SandboxRecord>;
  refreshToken(principal: Principal, id: string, context: RequestContext): Promise<IssuedToken>;
  /** Activity seen by the gateway. */
  touch(id: string): Promise<void>;
  resolve(id: string): Promise<Resolved | undefined>;
  /** True when a create at work here was to use the instance, and deals with its death by itself. */
  instanceDied(sandboxId: string, instanceId: string): boolean;
  /** Creates are refused from now on. */
  refuseCreates(): void;
  /** Resolves when no create is at work any more. */
  settled(): Promise<void>;
}

/** A kill answers by then, whether or not the instance is gone already. */
const killWaitMs = 10_000;
/** Clients refresh a token that has less than an hour left (contract rule 5). */
const tokenMinimumMs = 2 * 3_600_000;

export function makeSandboxService(deps: CoreDeps, ender: Ender): SandboxService {
  const { ports, audit } = deps;
  const { sandboxes, clock, logger } = ports;
  const creator = makeCreator(deps, ender);
  const pausing = makePausing(deps);
  const resting = makeResting(deps, ender);
  const undelivered = makeUndelivered<SandboxRecord>(clock);

  async function issue(record: SandboxRecord, principal: Principal): Promise<IssuedToken> {
    // A create that is repeated finds the first one's sandbox, which may be held by now.
    if (record.quarantine !== null && !isOver(record.status)) throw quarantined(record);
    const until = Math.max(record.deadlines.lifetimeAt, clock.now() + tokenMinimumMs);
    const token = await ports.signer.sign({
      sandboxId: record.id,
      generation: record.tokenGeneration,
      issuedBy: principal.keyId,
      expiresAt: until,
    });
    return { token, expiresAt: until };
  }

  /** A caller that hung up and comes back gets the sandbox it did not hear of (docs/adr/002). */
  function createAdoptable(
    principal: Principal,
    input: CreateInput,
    context: CreateContext,
    entry: Entry,
  ): Promise<SandboxRecord> {
    const fingerprint = `${principal.keyId}:${context.bodyHash}`;
    const adoptOrCreate = async () => {
      for (let kept = undelivered.adopt(fingerprint); kept !== undefined; kept = undelivered.adopt(fingerprint)) {
        // One that failed, or has ended since, is of no use: the request is then a new one.
        const made = await kept.catch(() => undefined);
        const record = made === undefined ? undefined : await sandboxes.get(made.id);
        if (record !== undefined && !isOver(record.status)) return record;
      }
      return creator.create(principal, input, makeSandboxId(clock), entry);
    };
    const outcome = adoptOrCreate();
    const keep = () => undelivered.keep(fingerprint, outcome, (record) => void endUnheard(record, "undelivered"));
    if (context.signal.aborted) keep();
    else context.signal.addEventListener("abort", keep, { once: true });
    return outcome;
  }

  async function endUnheard(record: SandboxRecord, reason: "undelivered" | "create_failed"): Promise<void> {
    try {
      await ender.end(record.id, (fresh) => (fresh.quarantine === null ? reason : null));
    } catch (error) {
      logger.error("sandbox without a caller not ended", { sandbox: record.id, error });
    }
  }

  async function create(
    principal: Principal,
    input: CreateInput,
    context: CreateContext,
    entry: Entry,
  ): Promise<Created> {
    requireAccess(principal, "sandboxes:create");
    const release = deps.pool.busy();
    try {
      const { idempotencyKey, bodyHash } = context;
      const sandbox =
        idempotencyKey === null
          ? await createAdoptable(principal, input, context, entry)
          : await createOnce(deps, {
              projectId: principal.projectId,
              key: idempotencyKey,
              bodyHash,
              make: (id, unclaim) => creator.create(principal, input, id, entry, unclaim),
            });
      try {
        return { sandbox, token: await issue(sandbox, principal) };
      } catch (thrown) {
        await takeBack(sandbox, context);
        throw thrown;
      }
    } finally {
      release();
    }
  }

  /** The caller is about to hear of a failure. With an `Idempotency-Key` its repeat finds the sandbox; without one nobody would. */
  async function takeBack(sandbox: SandboxRecord, context: CreateContext): Promise<void> {
    // Waited for: what is not done when the caller has its answer may never be done, where the process is frozen then.
    if (context.idempotencyKey === null) await endUnheard(sandbox, "create_failed");
  }

  /** Always accepted once the record says so; answers when the instance is gone, or after a while without waiting for that. */
  async function kill(principal: Principal, id: string): Promise<SandboxRecord> {
    const found = await findSandbox(sandboxes, { principal, permission: "sandboxes:kill", id });
    const ending = ender.end(id, (fresh) => (fresh.quarantine === null || mayEndHeld(principal) ? "killed" : null));
    try {
      const ended = await within(clock, ending, killWaitMs);
      if (ended !== "late") {
        const record = ended.value ?? found;
        // Held in between.
        if (!isOver(record.status)) throw quarantined(record);
        return record;
      }
    } catch (error) {
      const record = await sandboxes.get(id);
      if (record !== undefined && !isOver(record.status)) throw error;
    }
    ending.catch((error: unknown) =>
      logger.error("kill not finished, repeated by the sweeper", { sandbox: id, error }),
    );
    return (await sandboxes.get(id)) ?? found;
  }

  async function changeTimeout(principal: Principal, id: string, seconds: number | null): Promise<SandboxRecord> {
    for (;;) {
      const record = await findLiveSandbox(sandboxes, { principal, permission: "sandboxes:update", id });
      const changed = {
        ...record,
        deadlines: withTimeout(record.deadlines, seconds, clock.now()),
        version: record.version + 1,
      };
      if ((await sandboxes.replace(changed)) === "lost") continue;
      const instance = changed.instanceId === null ? undefined : await ports.instances.get(changed.instanceId);
      if (instance?.endpoint != null) await ports.agent.renew(instance.endpoint, leaseOf(changed.deadlines));
      return changed;
    }
  }

  /** One audited change of a sandbox that lives. */
  function changing(action: string, act: (principal: Principal, id: string) => Promise<SandboxRecord>) {
    return (principal: Principal, id: string, context: RequestContext) =>
      audit.around(operationOf(principal, context, action, id), () => act(principal, id));
  }

  return {
    create: (principal, input, context) => {
      const nameOrId = "name" in input.template ? input.template.name : input.template.id;
      const details = {
        template: nameOrId,
        ...(input.network !== undefined && { network: input.network.mode }),
        envNames: Object.keys(input.env),
        ...(input.secrets !== undefined && { secretsInEnv: input.secrets }),
        ...(input.brokered !== undefined && {
          secretsBrokered: Object.fromEntries(input.brokered.map(({ name, reference }) => [name, reference])),
        }),
      };
      return audit.aroundMaking(
        { ...operationOf(principal, context, "sandbox.create", null), details },
        (entry) => create(principal, input, context, entry),
        (created) => created.sandbox.id,
      );
    },
    get: (principal, id, context) =>
      audit.aroundRead(operationOf(principal, context, "sandbox.get", id), () =>
        findLiveSandbox(sandboxes, { principal, permission: "sandboxes:read", id }),
      ),
    list: (principal, query, context) =>
      audit.aroundRead(operationOf(principal, context, "sandbox.list", null), () => {
        requireAccess(principal, "sandboxes:read");
        return sandboxes.list(principal.projectId, { ...query, environment: principal.environment });
      }),
    kill: (principal, id, context) =>
      audit.around(operationOf(principal, context, "sandbox.kill", id), () => kill(principal, id)),
    setTimeout: (principal, id, seconds, context) =>
      audit.around(operationOf(principal, context, "sandbox.set_timeout", id), () =>
        changeTimeout(principal, id, seconds),
      ),
    pause: changing("sandbox.pause", (principal, id) => pausing.pause(principal, id)),
    resume: changing("sandbox.resume", (principal, id) => pausing.resume(principal, id)),
    stop: changing("sandbox.stop", (principal, id) => resting.stop(principal, id)),
    start: changing("sandbox.start", (principal, id) => resting.start(principal, id)),
    setNetwork: (principal, id, policy, expected, context) =>
      audit.around({ ...operationOf(principal, context, "network.replace", id), details: { policy } }, () =>
        replaceNetwork(deps, principal, id, policy, expected),
      ),
    refreshToken: (principal, id, context) =>
      audit.around(operationOf(principal, context, "token.refresh", id), async () =>
        issue(await findLiveSandbox(sandboxes, { principal, permission: "sandboxes:exec", id }), principal),
      ),
    touch: (id) => sandboxes.touch(id, clock.now()),
    async resolve(id) {
      const record = await sandboxes.get(id);
      if (record === undefined) return undefined;
      const instance =
        record.instanceId === null || isOver(record.status) ? undefined : await ports.instances.get(record.instanceId);
      return { record, endpoint: instance?.endpoint ?? null };
    },
    instanceDied: (sandboxId, instanceId) => creator.instanceDied(sandboxId, instanceId),
    refuseCreates: () => creator.close(),
    settled: () => creator.settled(),
  };
}
