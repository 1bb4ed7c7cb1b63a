import { BulkheadError } from "#contracts/errors.ts";
import { operationOf } from "../audit.ts";
import { leaseOf } from "../deadlines.ts";
import type { CoreDeps } from "../deps.ts";
import { findLiveSandbox } from "../find.ts";
import { isOver } from "../lifecycle.ts";
import type { Endpoint, Principal, RequestContext, SandboxRecord } from "../model.ts";
import type { Pausing } from "../pausing.ts";
import { enforceHold } from "./enforce.ts";
import { defaultHoldSeconds, type Hold, held, letGo } from "./hold.ts";

export interface HoldAsked {
  readonly reason: string;
  /** @default - as the deployment says */
  readonly holdSeconds?: number | undefined;
}

export interface HeldSandbox {
  readonly sandbox: SandboxRecord;
  /** Whether nothing of its code runs any more; false: it could not be stopped yet, and the sweeper repeats it. */
  readonly frozen: boolean;
}

/** Holds sandboxes for inspection: nothing goes out, no token is taken, processes stand still, files stay. */
export interface QuarantineService {
  /**
   * Safe to repeat: it keeps who held it first and why, and a longer hold counts.
   * @throws BulkheadError FORBIDDEN | SANDBOX_NOT_FOUND | SANDBOX_EXPIRED, SANDBOX_BUSY while it is being created or started
   */
  quarantine(principal: Principal, id: string, asked: HoldAsked, context: RequestContext): Promise<HeldSandbox>;
  /**
   * The same for an alert, which `by` names. @returns undefined where there is nothing to hold any more
   * @throws BulkheadError SANDBOX_BUSY while it is being created or started: to be repeated
   */
  quarantineBySystem(sandboxId: string, by: string, reason: string): Promise<HeldSandbox | undefined>;
  /**
   * Lets it go on as it was, with the time that it had left. One that is not held stays as it is. It may answer `paused` where its agent
   * does not answer: resume it then. @throws BulkheadError FORBIDDEN | SANDBOX_NOT_FOUND | SANDBOX_EXPIRED
   */
  release(principal: Principal, id: string, context: RequestContext): Promise<SandboxRecord>;
}

const permission = "sandboxes:quarantine";

/**
 * The record is written first and decides: doors, egress proxy and sweeper go by it, so that a hold that is cut off is finished by the
 * sweeper, and a release that is cut off leaves a sandbox that is paused.
 */
export function makeQuarantineService(deps: CoreDeps, pausing: Pick<Pausing, "resume">): QuarantineService {
  const { ports, audit, config } = deps;
  const { sandboxes, clock, events, logger } = ports;

  async function endpointOf(record: SandboxRecord): Promise<Endpoint | null> {
    const instance = record.instanceId === null ? undefined : await ports.instances.get(record.instanceId);
    return instance?.endpoint ?? null;
  }

  /** At once in this process: what it had open is cut, and its tokens are refused. */
  async function tell(record: SandboxRecord): Promise<void> {
    events.publish({ type: "sandbox.resting", record, endpoint: await endpointOf(record) });
  }

  async function hold(find: () => Promise<SandboxRecord>, asked: Hold): Promise<HeldSandbox> {
    for (;;) {
      const found = await find();
      if (found.status === "creating") throw busy(found);
      const next = held(found, asked, clock.now());
      if (next !== null && (await sandboxes.replace(next)) === "lost") continue;
      const sandbox = next ?? found;
      await tell(sandbox);
      return { sandbox, frozen: await enforceHold(ports, sandbox) };
    }
  }

  async function release(principal: Principal, id: string): Promise<SandboxRecord> {
    for (;;) {
      const found = await findLiveSandbox(sandboxes, { principal, permission, id });
      if (found.quarantine === null) return found;
      const next = letGo(found, clock.now());
      if ((await sandboxes.replace(next)) === "lost") continue;
      await tell(next);
      return goOn(principal, next, found.quarantine.before === "running");
    }
  }

  /** It is let go whatever happens here: at worst it stays paused, and who resumes it hears why. */
  async function goOn(principal: Principal, record: SandboxRecord, runs: boolean): Promise<SandboxRecord> {
    const endpoint = await endpointOf(record);
    if (endpoint === null) return record;
    try {
      await ports.agent.renew(endpoint, leaseOf(record.deadlines));
      if (!runs) return record;
      return await pausing.resume({ ...principal, scopes: ["sandboxes:update"] }, record.id);
    } catch (error) {
      logger.warn("released sandbox did not go on", { sandbox: record.id, error });
      return (await sandboxes.get(record.id)) ?? record;
    }
  }

  return {
    quarantine(principal, id, { reason, holdSeconds = config.quarantineSeconds ?? defaultHoldSeconds }, context) {
      const details = { reason, holdSeconds };
      return audit.around({ ...operationOf(principal, context, "sandbox.quarantine", id), details }, () =>
        hold(() => findLiveSandbox(sandboxes, { principal, permission, id }), {
          ...{ by: principal.keyId, reason, holdMs: holdSeconds * 1000 },
        }),
      );
    },
    async quarantineBySystem(id, by, reason) {
      const record = await sandboxes.get(id);
      if (record === undefined || isOver(record.status)) return undefined;
      const holdSeconds = config.quarantineSeconds ?? defaultHoldSeconds;
      const operation = {
        ...{ projectId: record.projectId, actor: "system", action: "sandbox.quarantine", target: id, context: null },
        details: { by, reason, holdSeconds },
      };
      const find = async () => {
        const fresh = await sandboxes.get(id);
        if (fresh === undefined || isOver(fresh.status)) throw gone(id);
        return fresh;
      };
      return audit.around(operation, () => hold(find, { by, reason, holdMs: holdSeconds * 1000 }));
    },
    release: (principal, id, context) =>
      audit.around(operationOf(principal, context, "sandbox.release", id), () => release(principal, id)),
  };
}

function busy(record: SandboxRecord): BulkheadError {
  return new BulkheadError("SANDBOX_BUSY", "The sandbox is still being started. Repeat in a few seconds.", {
    details: { sandbox_id: record.id, status: record.status, retry_after_seconds: 2 },
  });
}

function gone(id: string): BulkheadError {
  return new BulkheadError("SANDBOX_EXPIRED", `Sandbox ${id} has ended.`, { details: { sandbox_id: id } });
}
