import { BulkheadError } from "#contracts/errors.ts";
import { makeSandboxId } from "#contracts/ids.ts";
import { toRfc3339 } from "#contracts/time.ts";
import { requireScope } from "./access.ts";
import { operationOf } from "./audit.ts";
import { type CreateInput, makeCreator } from "./create.ts";
import { expiresAt, leaseOf, withTimeout } from "./deadlines.ts";
import type { CoreDeps } from "./deps.ts";
import type { Ender } from "./end.ts";
import { isOver } from "./lifecycle.ts";
import type { Endpoint, Principal, RequestContext, SandboxRecord } from "./model.ts";
import type { Page, SandboxQuery } from "./ports.ts";
import { makeUndelivered } from "./undelivered.ts";

export type { CreateInput } from "./create.ts";

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
  refreshToken(principal: Principal, id: string, context: RequestContext): Promise<IssuedToken>;
  /** Activity seen by the gateway. */
  touch(id: string): Promise<void>;
  resolve(id: string): Promise<Resolved | undefined>;
  /** Creates are refused from now on. */
  refuseCreates(): void;
}

const idempotencySeconds = 86_400;
/** Clients refresh a token that has less than an hour left (contract rule 5). */
const tokenMinimumMs = 2 * 3_600_000;

export function makeSandboxService(deps: CoreDeps, ender: Ender): SandboxService {
  const { ports, audit } = deps;
  const { sandboxes, clock, logger } = ports;
  const creator = makeCreator(deps, ender);
  const undelivered = makeUndelivered<SandboxRecord>(clock);
  let refusing = false;

  async function find(principal: Principal, id: string): Promise<SandboxRecord> {
    const record = await sandboxes.get(id);
    if (record?.projectId !== principal.projectId)
      throw new BulkheadError("SANDBOX_NOT_FOUND", `Sandbox ${id} not found`);
    return record;
  }

  async function findLive(principal: Principal, id: string): Promise<SandboxRecord> {
    const record = await find(principal, id);
    if (isOver(record.status)) throw sandboxEnded(record);
    return record;
  }

  async function issue(record: SandboxRecord): Promise<IssuedToken> {
    const until = Math.max(record.deadlines.lifetimeAt, clock.now() + tokenMinimumMs);
    const token = await ports.signer.sign({
      sandboxId: record.id,
      generation: record.tokenGeneration,
      expiresAt: until,
    });
    return { token, expiresAt: until };
  }

  /** The first create with this key makes the sandbox; every other one waits for it and gets the same. */
  async function createOnce(
    principal: Principal,
    input: CreateInput,
    context: CreateContext,
    key: string,
  ): Promise<SandboxRecord> {
    const sandboxId = makeSandboxId(clock);
    const claim = {
      projectId: principal.projectId,
      key,
      bodyHash: context.bodyHash,
      sandboxId,
      expiresAtSeconds: Math.floor(clock.now() / 1000) + idempotencySeconds,
    };
    const { existing } = await sandboxes.claimIdempotency(claim);
    if (existing !== null) return repeatOf(principal, existing.sandboxId, existing.bodyHash === context.bodyHash);
    try {
      return await creator.create(principal, input, sandboxId);
    } catch (thrown) {
      await sandboxes.releaseIdempotency(principal.projectId, key);
      throw thrown;
    }
  }

  async function repeatOf(principal: Principal, sandboxId: string, sameBody: boolean): Promise<SandboxRecord> {
    if (!sameBody) {
      throw new BulkheadError(
        "CONFLICT",
        "This Idempotency-Key was used with another request body. Use a new key for a new request.",
      );
    }
    const giveUpAt = clock.now() + deps.config.createWaitMs;
    for (;;) {
      const record = await sandboxes.get(sandboxId);
      if (record !== undefined && record.status !== "creating") return findLive(principal, sandboxId);
      if (clock.now() >= giveUpAt) {
        if (record !== undefined) return record;
        throw new BulkheadError(
          "SANDBOX_CREATING",
          "The first request with this Idempotency-Key is still at work. Repeat in a moment.",
        );
      }
      await clock.sleep(50);
    }
  }

  /** A caller that hung up and comes back gets the sandbox it did not hear of (docs/adr/002). */
  function createAdoptable(principal: Principal, input: CreateInput, context: CreateContext): Promise<SandboxRecord> {
    const fingerprint = `${principal.keyId}:${context.bodyHash}`;
    const outcome = undelivered.adopt(fingerprint) ?? creator.create(principal, input, makeSandboxId(clock));
    const abandon = (record: SandboxRecord) => {
      ender
        .end(record.id, "undelivered")
        .catch((error: unknown) => logger.error("undelivered sandbox not ended", { sandbox: record.id, error }));
    };
    const keep = () => undelivered.keep(fingerprint, outcome, abandon);
    if (context.signal.aborted) keep();
    else context.signal.addEventListener("abort", keep, { once: true });
    return outcome;
  }

  async function create(principal: Principal, input: CreateInput, context: CreateContext): Promise<Created> {
    requireScope(principal, "use");
    if (refusing)
      throw new BulkheadError("SERVICE_UNAVAILABLE", "The platform is shutting down. Try again when it is back.");
    const release = deps.pool.busy();
    try {
      const { idempotencyKey } = context;
      const sandbox =
        idempotencyKey === null
          ? await createAdoptable(principal, input, context)
          : await createOnce(principal, input, context, idempotencyKey);
      return { sandbox, token: await issue(sandbox) };
    } finally {
      release();
    }
  }

  async function changeTimeout(principal: Principal, id: string, seconds: number | null): Promise<SandboxRecord> {
    for (;;) {
      const record = await findLive(principal, id);
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

  return {
    create: (principal, input, context) => {
      const nameOrId = "name" in input.template ? input.template.name : input.template.id;
      const details = { template: nameOrId, internetAccess: input.internetAccess, envNames: Object.keys(input.env) };
      return audit.around({ ...operationOf(principal, context, "sandbox.create", null), details }, () =>
        create(principal, input, context),
      );
    },
    get: (principal, id, context) =>
      audit.around(operationOf(principal, context, "sandbox.get", id), () => {
        requireScope(principal, "read");
        return findLive(principal, id);
      }),
    list: (principal, query, context) =>
      audit.around(operationOf(principal, context, "sandbox.list", null), () => {
        requireScope(principal, "read");
        return sandboxes.list(principal.projectId, query);
      }),
    kill: (principal, id, context) =>
      audit.around(operationOf(principal, context, "sandbox.kill", id), async () => {
        requireScope(principal, "use");
        const record = await find(principal, id);
        return (await ender.end(id, "killed")) ?? record;
      }),
    setTimeout: (principal, id, seconds, context) =>
      audit.around(operationOf(principal, context, "sandbox.set_timeout", id), () => {
        requireScope(principal, "use");
        return changeTimeout(principal, id, seconds);
      }),
    refreshToken: (principal, id, context) =>
      audit.around(operationOf(principal, context, "token.refresh", id), async () => {
        requireScope(principal, "use");
        return issue(await findLive(principal, id));
      }),
    touch: (id) => sandboxes.touch(id, clock.now()),
    async resolve(id) {
      const record = await sandboxes.get(id);
      if (record === undefined) return undefined;
      const instance =
        record.instanceId === null || isOver(record.status) ? undefined : await ports.instances.get(record.instanceId);
      return { record, endpoint: instance?.endpoint ?? null };
    },
    refuseCreates() {
      refusing = true;
    },
  };
}

/** 410 with the true reason and the facts clients show (contract §2.4). */
export function sandboxEnded(record: SandboxRecord): BulkheadError {
  return new BulkheadError(
    "SANDBOX_EXPIRED",
    `Sandbox ${record.id} has ended: ${record.endReason ?? "unknown reason"}.`,
    {
      details: {
        sandbox_id: record.id,
        status: "deleted",
        end_reason: record.endReason,
        created_at: toRfc3339(record.createdAt),
        expires_at: toRfc3339(record.endedAt ?? expiresAt(record.deadlines)),
      },
    },
  );
}
