import { BulkheadError } from "#contracts/errors.ts";
import { makeInstanceId } from "#contracts/ids.ts";
import type { Logger } from "#telemetry/logger.ts";
import { keepsDisk } from "./disk.ts";
import { backstopSeconds } from "./draft.ts";
import type { Endpoint, InstanceRecord, TemplateRecord } from "./model.ts";
import type { AgentPort, Clock, Compute, InstanceStore, SandboxStore } from "./ports.ts";

const agentAnswerMs = 15_000;
/** Longer than any warm instance waits (sweep-instances.ts). */
const warmSeconds = 86_400;
/** After this a stop that was begun is begun again. */
const stopDeadlineMs = 30_000;

export interface InstanceDeps {
  readonly compute: Compute;
  readonly instances: InstanceStore;
  readonly sandboxes: Pick<SandboxStore, "get">;
  readonly agent: AgentPort;
  readonly clock: Clock;
  readonly logger: Logger;
  /** How long an instance may take from launch to its agent's first answer. */
  readonly startMs: number;
  /** The longest life of a sandbox, hence of an instance that serves one. */
  readonly maxLifetimeSeconds: number;
}

export interface Instances {
  /** The record of an instance that is wanted; once stored, whoever launches acts on it. `diskId`: the kept disk it is to work on. */
  draft(template: TemplateRecord, sandboxId: string | null, diskId?: string | null): InstanceRecord;
  /**
   * Starts an instance and waits for its agent: `warm`, or `claimed` at once when `sandboxId` is given. When it throws, nothing is left.
   * @throws BulkheadError CAPACITY_EXHAUSTED | HOST_UNSUITABLE | SERVICE_UNAVAILABLE | AGENT_UNREACHABLE
   */
  start(template: TemplateRecord, sandboxId: string | null): Promise<InstanceRecord>;
  /** As `start`, from a record that `draft` made. */
  startDrafted(template: TemplateRecord, draft: InstanceRecord): Promise<InstanceRecord>;
  /** Ends an instance: whatever exists of it but the files of a sandbox that lives on, and then its record. Safe to repeat. */
  end(instanceId: string): Promise<void>;
  /** As `end`, unless the record has changed since it was read, e.g. because the instance was claimed. @returns whether it was ended */
  retire(record: InstanceRecord): Promise<boolean>;
}

export function makeInstances(deps: InstanceDeps): Instances {
  const { compute, instances, agent, clock } = deps;

  async function waitForEndpoint(instanceId: string, known: Endpoint | null): Promise<Endpoint> {
    const giveUpAt = clock.now() + deps.startMs;
    for (let endpoint = known; ; ) {
      if (endpoint !== null) return endpoint;
      if (clock.now() >= giveUpAt)
        throw new BulkheadError("AGENT_UNREACHABLE", "The instance got no address in time. Try again.");
      await clock.sleep(250);
      const truth = await compute.describe(instanceId);
      if (truth === undefined || truth.state === "gone") {
        throw new BulkheadError("AGENT_UNREACHABLE", "The instance ended while it was starting. Try again.");
      }
      endpoint = truth.endpoint;
    }
  }

  async function end(instanceId: string): Promise<void> {
    await compute.stop(instanceId, { keepDisk: await keepsDisk(deps, instanceId) });
    await instances.remove(instanceId);
  }

  async function launch(starting: InstanceRecord, template: TemplateRecord): Promise<InstanceRecord> {
    const launched = await compute.launch({
      instanceId: starting.id,
      template,
      resources: template.resources,
      ...(starting.diskId !== null && { diskId: starting.diskId }),
    });
    const endpoint = await waitForEndpoint(starting.id, launched.endpoint);
    await agent.health(endpoint, agentAnswerMs);
    const ready: InstanceRecord = {
      ...starting,
      state: starting.sandboxId === null ? "warm" : "claimed",
      stateDeadlineAt: null,
      providerId: launched.providerId,
      endpoint,
      enforced: launched.enforced,
      version: starting.version + 1,
    };
    if ((await instances.replace(ready)) === "lost") {
      throw new BulkheadError("AGENT_UNREACHABLE", "The instance was ended while it was starting. Try again.");
    }
    return ready;
  }

  function draft(template: TemplateRecord, sandboxId: string | null, diskId: string | null = null): InstanceRecord {
    return {
      id: makeInstanceId(clock),
      templateName: template.name,
      state: "starting",
      stateDeadlineAt: clock.now() + deps.startMs,
      sandboxId,
      diskId,
      providerId: null,
      endpoint: null,
      resources: template.resources,
      enforced: null,
      createdAt: clock.now(),
      version: 1,
      expiresAtSeconds: Math.ceil(clock.now() / 1000) + warmSeconds + deps.maxLifetimeSeconds + backstopSeconds,
    };
  }

  async function startDrafted(template: TemplateRecord, starting: InstanceRecord): Promise<InstanceRecord> {
    await instances.insert(starting);
    try {
      return await launch(starting, template);
    } catch (thrown) {
      await end(starting.id).catch((error: unknown) =>
        deps.logger.error("failed instance not ended, left to the sweeper", { instance: starting.id, error }),
      );
      throw thrown;
    }
  }

  return {
    draft,
    start: (template, sandboxId) => startDrafted(template, draft(template, sandboxId)),
    startDrafted,
    end,
    async retire(record) {
      const stopping: InstanceRecord = {
        ...record,
        state: "stopping",
        stateDeadlineAt: clock.now() + stopDeadlineMs,
        version: record.version + 1,
      };
      if ((await instances.replace(stopping)) === "lost") return false;
      await end(record.id);
      return true;
    },
  };
}
