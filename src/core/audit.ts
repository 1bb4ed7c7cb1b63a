import { BulkheadError } from "#contracts/errors.ts";
import { makeRequestId } from "#contracts/ids.ts";
import type { Logger } from "#telemetry/logger.ts";
import type { AuditEvent, Principal, RequestContext } from "./model.ts";
import type { AuditLog, Clock } from "./ports.ts";

export interface AuditedOperation {
  readonly projectId: string;
  /** Key id, or "system". */
  readonly actor: string;
  readonly action: string;
  readonly target: string | null;
  readonly context: RequestContext | null;
  readonly details?: Readonly<Record<string, unknown>>;
}

export interface Audit {
  /** Stores what happened; failing to store it fails the operation. */
  allowed(operation: AuditedOperation): Promise<void>;
  /** Runs `work` and records how it came out: allowed, refused (the caller's fault) or failed (ours). */
  around<T>(operation: AuditedOperation, work: () => Promise<T>, made?: Made<T>): Promise<T>;
  /** As `around` for what changes nothing: the caller does not wait for the record, and what cannot be stored is logged. */
  aroundRead<T>(operation: AuditedOperation, work: () => Promise<T>): Promise<T>;
}

/** For work that makes something. */
export interface Made<T> {
  /** Its id, which becomes the event's target. */
  readonly target: (result: T) => string;
  /** Runs when what was made cannot be recorded: nothing may exist off the record. */
  readonly takeBack: (result: T) => void;
}

export function operationOf(
  principal: Principal,
  context: RequestContext,
  action: string,
  target: string | null,
): AuditedOperation {
  return { projectId: principal.projectId, actor: principal.keyId, action, target, context };
}

export function makeAudit(log: AuditLog, clock: Clock, logger: Logger): Audit {
  const event = (
    operation: AuditedOperation,
    outcome: AuditEvent["outcome"],
    more: Readonly<Record<string, unknown>>,
  ): AuditEvent => ({
    at: clock.now(),
    id: makeRequestId(clock).slice(4),
    projectId: operation.projectId,
    actor: operation.actor,
    action: operation.action,
    target: operation.target,
    outcome,
    requestId: operation.context?.requestId ?? null,
    sourceIp: operation.context?.sourceIp ?? null,
    details: { ...operation.details, ...more },
  });
  function failure(operation: AuditedOperation, thrown: unknown): AuditEvent {
    const error = thrown instanceof BulkheadError ? thrown : null;
    const outcome = error !== null && error.status < 500 ? "refused" : "failed";
    return event(operation, outcome, { code: error?.code ?? "INTERNAL_ERROR" });
  }

  /** Where nothing can be refused any more. */
  async function note(noted: AuditEvent): Promise<void> {
    try {
      await log.append(noted);
    } catch (unwritten) {
      const { action, outcome, projectId, actor, target } = noted;
      logger.error("audit event not stored", { action, outcome, projectId, actor, target, error: unwritten });
    }
  }

  return {
    allowed: (operation) => log.append(event(operation, "allowed", {})),
    async around(operation, work, made) {
      try {
        const result = await work();
        const target = made === undefined ? operation.target : made.target(result);
        try {
          await log.append(event({ ...operation, target }, "allowed", {}));
        } catch (unwritten) {
          made?.takeBack(result);
          throw unwritten;
        }
        return result;
      } catch (thrown) {
        await note(failure(operation, thrown));
        throw thrown;
      }
    },
    async aroundRead(operation, work) {
      try {
        const result = await work();
        void note(event(operation, "allowed", {}));
        return result;
      } catch (thrown) {
        void note(failure(operation, thrown));
        throw thrown;
      }
    },
  };
}
