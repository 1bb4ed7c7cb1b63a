import { expiresAt } from "#core/deadlines.ts";
import type { Endpoint, SandboxRecord } from "#core/model.ts";
import type { Events } from "#core/ports.ts";
import type { SandboxService } from "#core/sandboxes.ts";
import type { EgressIdentity } from "#egress/ports.ts";
import type { Directory, Target } from "#gateway/ports.ts";

/**
 * What gateway and egress proxy must know at once about running sandboxes. This process starts and ends all of them, so the core's
 * events are enough; whatever is not running is looked up in the store.
 */
export interface LiveSandboxes extends Directory {
  /** Who owns an instance now; undefined for a warm one. */
  identify(instanceId: string): EgressIdentity | undefined;
}

export function trackLiveSandboxes(events: Events, sandboxes: Pick<SandboxService, "resolve">): LiveSandboxes {
  const targets = new Map<string, Target>();
  const identities = new Map<string, EgressIdentity>();
  /** By sandbox. */
  const instances = new Map<string, string>();
  events.subscribe((event) => {
    if (event.type === "sandbox.ended") {
      targets.delete(event.sandboxId);
      instances.delete(event.sandboxId);
      if (event.instanceId !== null) identities.delete(event.instanceId);
      return;
    }
    const { record } = event;
    if (event.type === "sandbox.network") {
      if (record.instanceId !== null && identities.has(record.instanceId))
        identities.set(record.instanceId, identityOf(record));
      return;
    }
    const before = instances.get(record.id);
    if (before !== undefined && before !== record.instanceId) identities.delete(before);
    if (record.instanceId === null) {
      targets.delete(record.id);
      instances.delete(record.id);
      return;
    }
    // One at rest is looked up: what comes next is for the store to say.
    if (event.type === "sandbox.running") targets.set(record.id, targetOf(record, event.endpoint));
    else targets.delete(record.id);
    instances.set(record.id, record.instanceId);
    identities.set(record.instanceId, identityOf(record));
  });
  return {
    async resolve(sandboxId) {
      const live = targets.get(sandboxId);
      if (live !== undefined) return live;
      const found = await sandboxes.resolve(sandboxId);
      return found === undefined ? undefined : targetOf(found.record, found.endpoint);
    },
    identify: (instanceId) => identities.get(instanceId),
  };
}

function identityOf({ id: sandboxId, projectId, network, brokered, quarantine }: SandboxRecord): EgressIdentity {
  return { sandboxId, projectId, network, brokered, ...(quarantine !== null && { quarantined: true }) };
}

function targetOf(record: SandboxRecord, endpoint: Endpoint | null): Target {
  return {
    sandboxId: record.id,
    projectId: record.projectId,
    status: record.status,
    generation: record.tokenGeneration,
    endpoint,
    createdAt: record.createdAt,
    expiresAt: record.endedAt ?? expiresAt(record.deadlines),
    endReason: record.endReason,
    environment: record.environment,
    ports: record.ports,
    quarantine: record.quarantine,
  };
}
