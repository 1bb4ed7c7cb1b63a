import { BulkheadError } from "#contracts/errors.ts";
import type { CoreDeps } from "./deps.ts";
import { findLiveSandbox } from "./find.ts";
import type { Endpoint, Principal, SandboxRecord } from "./model.ts";

export interface Pausing {
  /** User code stands still, memory stays. Safe to repeat. @throws BulkheadError SANDBOX_STOPPED | SANDBOX_BUSY | AGENT_UNREACHABLE */
  pause(principal: Principal, id: string): Promise<SandboxRecord>;
  /** User code goes on. Safe to repeat. @throws BulkheadError SANDBOX_STOPPED | SANDBOX_BUSY | AGENT_UNREACHABLE */
  resume(principal: Principal, id: string): Promise<SandboxRecord>;
}

/**
 * Whatever is cut off, a sandbox that stands still says `paused`, and one that says so is brought to a stand by the sweeper: a pause is
 * written before the agent is asked, a resume after. A freeze of somebody else may fall between the two steps of a resume, and a resume
 * between those of a pause: each looks once more.
 */
export function makePausing(deps: CoreDeps): Pausing {
  const { sandboxes, agent, events, clock, logger } = deps.ports;

  async function endpointOf(record: SandboxRecord): Promise<Endpoint> {
    const instance = record.instanceId === null ? undefined : await deps.ports.instances.get(record.instanceId);
    if (instance?.endpoint != null) return instance.endpoint;
    throw new BulkheadError("AGENT_UNREACHABLE", "The sandbox has no instance at the moment. Try again.");
  }

  /** One that is running or paused: the states that these operations lead to and from. */
  async function requirePausing(principal: Principal, id: string): Promise<SandboxRecord> {
    const record = await findLiveSandbox(sandboxes, { principal, permission: "sandboxes:update", id });
    if (record.status === "running" || record.status === "paused") return record;
    throw notNow(record);
  }

  /**
   * Writes it over what was found, or over what somebody else has made of that. What is there already is as good.
   * @returns null for a sandbox that has another instance by now, whose agent nobody has asked
   */
  async function write(
    principal: Principal,
    found: SandboxRecord,
    status: "running" | "paused",
  ): Promise<SandboxRecord | null> {
    for (let record = found; ; record = await requirePausing(principal, record.id)) {
      if (record.instanceId !== found.instanceId) return null;
      if (record.status === status) return record;
      const next: SandboxRecord = {
        ...record,
        status,
        lastActivityAt: Math.max(record.lastActivityAt, clock.now()),
        version: record.version + 1,
      };
      if ((await sandboxes.replace(next)) === "written") return next;
    }
  }

  async function resume(principal: Principal, id: string): Promise<SandboxRecord> {
    const found = await requirePausing(principal, id);
    const endpoint = await endpointOf(found);
    await agent.thaw(endpoint);
    const record = await write(principal, found, "running").catch(async (thrown: unknown) => {
      await refreeze(id, endpoint);
      throw thrown;
    });
    if (record === null) return resume(principal, id);
    events.publish({ type: "sandbox.running", record, endpoint });
    await agent.thaw(endpoint);
    return (await refreeze(id, endpoint)) ?? record;
  }

  /** A quarantine of somebody else came between the steps of a resume: what has been woken stands still again. */
  async function refreeze(id: string, endpoint: Endpoint): Promise<SandboxRecord | undefined> {
    const fresh = await sandboxes.get(id);
    if (fresh === undefined || fresh.quarantine === null) return undefined;
    await agent.freeze(endpoint);
    return fresh;
  }

  /** Takes the wish back. An agent that does not answer may have followed it: then the sandbox stays paused. */
  async function takeBack(principal: Principal, id: string): Promise<void> {
    try {
      await resume(principal, id);
    } catch (error) {
      logger.warn("pause neither done nor taken back, finished by the sweeper", { sandbox: id, error });
    }
  }

  async function pause(principal: Principal, id: string): Promise<SandboxRecord> {
    const found = await requirePausing(principal, id);
    const endpoint = await endpointOf(found);
    const record = await write(principal, found, "paused");
    if (record === null) return pause(principal, id);
    events.publish({ type: "sandbox.resting", record, endpoint });
    try {
      await agent.freeze(endpoint);
    } catch (thrown) {
      await takeBack(principal, id);
      throw thrown;
    }
    const now = await findLiveSandbox(sandboxes, { principal, permission: "sandboxes:update", id });
    if (now.status === "running" && now.instanceId === record.instanceId) await agent.thaw(endpoint);
    return now;
  }

  return { pause, resume };
}

function notNow({ id, status }: SandboxRecord): BulkheadError {
  const details = { sandbox_id: id, status };
  if (status === "stopped") {
    return new BulkheadError("SANDBOX_STOPPED", "The sandbox is stopped. Start it first.", { details });
  }
  return new BulkheadError("SANDBOX_BUSY", "The sandbox is still being started. Repeat in a few seconds.", {
    details: { ...details, retry_after_seconds: 2 },
  });
}
