import { toRfc3339 } from "#contracts/time.ts";
import type { AuditEvent, EgressRow, SandboxRecord } from "../model.ts";
import type { ChainedEvent } from "../ports.ts";

type Facts = Readonly<Record<string, unknown>>;

const time = (at: number | null) => (at === null ? null : toRfc3339(at));

/** What may be told of a sandbox, without what is sealed and without placeholders. */
export function sandboxFacts(record: SandboxRecord): Facts {
  const { deadlines, quarantine, network } = record;
  return {
    id: record.id,
    project_id: record.projectId,
    environment: record.environment,
    created_by: record.createdByKeyId,
    template: record.templateName,
    template_id: record.templateId,
    region: record.region,
    status: record.status,
    instance: record.instanceId,
    resources: record.resources,
    enforced: record.enforced,
    created_at: time(record.createdAt),
    started_at: time(record.startedAt),
    last_activity_at: time(record.lastActivityAt),
    ended_at: time(record.endedAt),
    end_reason: record.endReason,
    timeout_at: time(deadlines.timeoutAt),
    lifetime_at: time(deadlines.lifetimeAt),
    idle_timeout_seconds: deadlines.idleTimeoutSeconds,
    token_generation: record.tokenGeneration,
    ports: record.ports.map(({ port, visibility, publishedAt }) => ({
      port,
      visibility,
      published_at: time(publishedAt),
    })),
    network_policy: { ...network },
    quarantine: quarantine === null ? null : { ...quarantine, at: time(quarantine.at), until: time(quarantine.until) },
  };
}

/** Each policy that it had, in order: from the event of its making, and from each that replaced it. */
export function policiesOf(audit: readonly ChainedEvent[], record: SandboxRecord | undefined): readonly Facts[] {
  const policies: Facts[] = [];
  for (const { seq, event } of audit) {
    const { policy } = event.details;
    if (event.outcome !== "allowed" || !isObject(policy)) continue;
    if (event.action !== "sandbox.create" && event.action !== "network.replace") continue;
    const version = event.action === "sandbox.create" ? 1 : Number(policies.at(-1)?.["version"] ?? 0) + 1;
    policies.push({ ...policy, version, set_at: toRfc3339(event.at), set_by: event.actor, audit_seq: seq });
  }
  // Of one that was made before policies stood in events, or whose first events do not fit.
  if (policies.length === 0 && record !== undefined) {
    policies.push({ ...record.network, set_at: toRfc3339(record.network.updatedAt), set_by: null, audit_seq: null });
  }
  return policies;
}

function isObject(value: unknown): value is Facts {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function secretsOf(
  record: SandboxRecord | undefined,
  audit: readonly ChainedEvent[],
  egress: readonly EgressRow[],
) {
  const made = audit.find(({ event }) => event.action === "sandbox.create" && event.outcome === "allowed")?.event;
  return {
    brokered:
      record?.brokered.map(({ name, reference, hosts, use }) => ({ name, reference, hosts, use })) ?? brokeredIn(made),
    in_env: [...(record?.secretNames ?? Object.keys(member(made, "secretsInEnv")))],
    used: [...new Set(egress.flatMap(({ secrets }) => secrets))].sort(),
  };
}

function brokeredIn(made: AuditEvent | undefined): readonly Facts[] {
  return Object.entries(member(made, "secretsBrokered")).map(([name, reference]) => ({ name, reference }));
}

function member(event: AuditEvent | undefined, name: string): Facts {
  const found = event?.details[name];
  return isObject(found) ? found : {};
}

/** Actors that are no keys and no roles. */
const others = /^(system|agent|nobody|platform)$|^(token|link):/;

/** Who acted, and with which keys: also the ones that tokens were issued to. */
export function actorsOf(audit: readonly ChainedEvent[], record: SandboxRecord | undefined) {
  const actors = new Set(audit.map(({ event }) => event.actor));
  const keys = new Set([...actors].filter((actor) => !others.test(actor)));
  for (const { event } of audit) {
    if (typeof event.details["key"] === "string") keys.add(event.details["key"]);
  }
  if (record !== undefined) keys.add(record.createdByKeyId);
  return { actors: [...actors].sort(), keys: [...keys].sort() };
}
