import { BulkheadError } from "#contracts/errors.ts";
import { type Hide, hideInMembers } from "#contracts/hide-in.ts";
import { makeRequestId, sandboxIdSchema } from "#contracts/ids.ts";
import type { Logger } from "#telemetry/logger.ts";
import { boundedDetails } from "./audit-chain/bounds.ts";
import type { SecretMemory } from "./delivered-secrets.ts";
import type { AuditEvent, Principal, RequestContext } from "./model.ts";
import type { AuditLog, Clock, DataAudit } from "./ports.ts";

export interface AuditedOperation {
  readonly projectId: string;
  /** Key id, or "system". */
  readonly actor: string;
  readonly action: string;
  readonly target: string | null;
  readonly context: RequestContext | null;
  /** What the caller was allowed. @default - nothing is known */
  readonly scopes?: readonly string[];
  /** @default - it took no time */
  readonly startedAt?: number;
  readonly details?: Readonly<Record<string, unknown>>;
}

export interface Audit {
  /** Stores what happened; failing to store it fails the operation. */
  allowed(operation: AuditedOperation): Promise<void>;
  /** Runs `work` and records how it came out: allowed, refused (the caller's fault) or failed (ours). */
  around<T>(operation: AuditedOperation, work: () => Promise<T>): Promise<T>;
  /**
   * As `around` for work that makes something: it stores the event together with what it makes (`entry`), so that nothing ever
   * exists off the record. What failed after that has a second event that says so.
   */
  aroundMaking<T>(
    operation: AuditedOperation,
    work: (entry: Entry) => Promise<T>,
    target: (result: T) => string,
  ): Promise<T>;
  /** As `around` for what changes nothing: the caller does not wait for the record, and what cannot be stored is logged. */
  aroundRead<T>(operation: AuditedOperation, work: () => Promise<T>): Promise<T>;
  /** Records what came out elsewhere. Nobody waits for it, and what cannot be stored is logged. */
  note(operation: AuditedOperation, outcome: AuditEvent["outcome"], more?: Readonly<Record<string, unknown>>): void;
}

/** What the gateway saw, as events. */
export function dataAudit(audit: Pick<Audit, "note">): DataAudit {
  return {
    note({ projectId, requestId, sourceIp, outcome, ...event }) {
      const context = { requestId, sourceIp, userAgent: null };
      audit.note({ ...event, projectId: projectId ?? platformProject, context }, outcome);
    },
  };
}

/** Project of what nobody's project is known of. */
export const platformProject = "platform";

/** The event of a making, for whoever stores what is made. */
export type Entry = (target: string, more?: Readonly<Record<string, unknown>>) => AuditEvent;

export function operationOf(
  principal: Principal,
  context: RequestContext,
  action: string,
  target: string | null,
): AuditedOperation {
  return {
    projectId: principal.projectId,
    actor: principal.keyId,
    scopes: principal.scopes,
    action,
    target,
    context,
    ...(context.startedAt !== undefined && { startedAt: context.startedAt }),
  };
}

export function makeAudit(
  log: AuditLog,
  clock: Clock,
  logger: Logger,
  secretValues?: Pick<SecretMemory, "hide">,
): Audit {
  const hideFor = (projectId: string) => (text: string) => secretValues?.hide(text, projectId) ?? text;
  const event = (
    operation: AuditedOperation,
    outcome: AuditEvent["outcome"],
    more: Readonly<Record<string, unknown>>,
  ): AuditEvent => ({
    at: clock.now(),
    id: makeRequestId(clock).slice(4),
    projectId: operation.projectId,
    actor: operation.actor,
    scopes: operation.scopes ?? [],
    latencyMs: operation.startedAt === undefined ? null : clock.now() - operation.startedAt,
    action: operation.action,
    target: targetOf(operation, hideFor(operation.projectId)),
    outcome,
    requestId: operation.context?.requestId ?? null,
    sourceIp: operation.context?.sourceIp ?? null,
    details: boundedDetails(hideInMembers({ ...operation.details, ...more }, hideFor(operation.projectId)), outcome),
  });
  function failure(operation: AuditedOperation, thrown: unknown): AuditEvent {
    const error = thrown instanceof BulkheadError ? thrown : null;
    const outcome = error !== null && error.status < 500 ? "refused" : "failed";
    return event(operation, outcome, { code: error?.code ?? "INTERNAL_ERROR" });
  }

  /** Where nothing can be refused any more. */
  async function store(noted: AuditEvent): Promise<void> {
    try {
      await log.append(noted);
    } catch (unwritten) {
      const { action, outcome, projectId, actor, target } = noted;
      logger.error("audit event not stored", { action, outcome, projectId, actor, target, error: unwritten });
    }
  }

  return {
    allowed: (operation) => log.append(event(operation, "allowed", {})),
    note: (operation, outcome, more = {}) => void store(event(operation, outcome, more)),
    async around(operation, work) {
      try {
        const result = await work();
        await log.append(event(operation, "allowed", {}));
        return result;
      } catch (thrown) {
        await store(failure(operation, thrown));
        throw thrown;
      }
    },
    async aroundMaking(operation, work, target) {
      const entered: AuditEvent[] = [];
      try {
        const result = await work((made, more = {}) => {
          const entry = event({ ...operation, target: made }, "allowed", more);
          entered.push(entry);
          return entry;
        });
        // Found and not made: an earlier request's.
        if (entered.length === 0) await log.append(event({ ...operation, target: target(result) }, "allowed", {}));
        return result;
      } catch (thrown) {
        await store(failure(operation, thrown));
        throw thrown;
      }
    },
    async aroundRead(operation, work) {
      try {
        const result = await work();
        void store(event(operation, "allowed", {}));
        return result;
      } catch (thrown) {
        void store(failure(operation, thrown));
        throw thrown;
      }
    },
  };
}

/** Callers name what they ask for, so anything can stand there. The id of a sandbox stays: nobody hides what is done to theirs. */
function targetOf({ target }: AuditedOperation, hide: Hide): string | null {
  return target === null || sandboxIdSchema.safeParse(target).success ? target : hide(target).slice(0, 256);
}
