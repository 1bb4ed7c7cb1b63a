import { BulkheadError } from "#contracts/errors.ts";
import type { CoreDeps } from "./deps.ts";
import { findLiveSandbox } from "./find.ts";
import type { Endpoint, Principal, SandboxRecord } from "./model.ts";

export interface Pausing {
  /** User code stands still, memory stays. Safe to repeat. @throws BulkheadError SANDBOX_STOPPED | SANDBOX_CREATING | AGENT_UNREACHABLE */
  pause(principal: Principal, id: string): Promise<SandboxRecord>;
  /** User code goes on. Safe to repeat. @throws BulkheadError SANDBOX_STOPPED | SANDBOX_CREATING | AGENT_UNREACHABLE */
  resume(principal: Principal, id: string): Promise<SandboxRecord>;
}

/**
 * The record says what is wanted and is written first; the agent follows it, and is asked again by whoever finds that it does not. After
 * a freeze the record is looked at once more: somebody who resumed the sandbox meanwhile came too early to thaw it.
 */
export function makePausing(deps: CoreDeps): Pausing {
  const { sandboxes, agent, events, clock } = deps.ports;

  async function endpointOf(record: SandboxRecord): Promise<Endpoint> {
    const instance = record.instanceId === null ? undefined : await deps.ports.instances.get(record.instanceId);
    if (instance?.endpoint != null) return instance.endpoint;
    throw new BulkheadError("AGENT_UNREACHABLE", "The sandbox has no instance at the moment. Try again.");
  }

  /** Writes `status` over `from`; what is there already is as good. */
  async function write(
    principal: Principal,
    id: string,
    from: "running" | "paused",
    status: "running" | "paused",
  ): Promise<SandboxRecord> {
    for (;;) {
      const record = await findLiveSandbox(sandboxes, principal, id);
      if (record.status === status) return record;
      if (record.status !== from) throw notNow(record);
      const next: SandboxRecord = {
        ...record,
        status,
        lastActivityAt: Math.max(record.lastActivityAt, clock.now()),
        version: record.version + 1,
      };
      if ((await sandboxes.replace(next)) === "written") return next;
    }
  }

  /** Takes the wish back: the sandbox runs, as far as anybody can tell. */
  async function takeBack(principal: Principal, id: string): Promise<void> {
    const record = await write(principal, id, "paused", "running");
    events.publish({ type: "sandbox.running", record, endpoint: await endpointOf(record) });
  }

  return {
    async pause(principal, id) {
      const record = await write(principal, id, "running", "paused");
      const endpoint = await endpointOf(record);
      events.publish({ type: "sandbox.resting", record, endpoint });
      try {
        await agent.freeze(endpoint);
      } catch (thrown) {
        await takeBack(principal, id);
        throw thrown;
      }
      const now = await findLiveSandbox(sandboxes, principal, id);
      if (now.status === "running") await agent.thaw(endpoint);
      return now;
    },
    async resume(principal, id) {
      const record = await write(principal, id, "paused", "running");
      const endpoint = await endpointOf(record);
      await agent.thaw(endpoint);
      events.publish({ type: "sandbox.running", record, endpoint });
      return record;
    },
  };
}

function notNow({ id, status }: SandboxRecord): BulkheadError {
  const details = { sandbox_id: id, status };
  if (status === "stopped") {
    return new BulkheadError("SANDBOX_STOPPED", "The sandbox is stopped. Start it first.", { details });
  }
  return new BulkheadError("SANDBOX_CREATING", "The sandbox is still being started. Repeat in a few seconds.", {
    details: { ...details, retry_after_seconds: 2 },
  });
}
