import type { QuarantineView, Sandbox, SandboxToken, StatusAnswer, WireStatus } from "#contracts/control/sandboxes.ts";
import type { SandboxStatus } from "#contracts/domain.ts";
import { toRfc3339 } from "#contracts/time.ts";
import type { SandboxRecord } from "#core/model.ts";
import type { IssuedToken } from "#core/sandboxes.ts";
import type { ControlConfig } from "./dependencies.ts";

const wireStatusOf: Record<SandboxStatus, WireStatus> = {
  creating: "creating",
  running: "running",
  paused: "paused",
  stopped: "stopped",
  deleting: "deleted",
  deleted: "deleted",
  failed: "deleted",
};

/** The stored statuses that a status on the wire stands for. */
export function storedStatuses(status: WireStatus): readonly SandboxStatus[] {
  const all: readonly SandboxStatus[] = ["creating", "running", "paused", "stopped", "deleting", "deleted", "failed"];
  return all.filter((stored) => wireStatusOf[stored] === status);
}

/** When the sandbox ends at the latest, epoch milliseconds: a hard cap is told even to callers who set no timeout (contract §8). */
export function expiresAt({ deadlines, quarantine }: SandboxRecord): number {
  if (quarantine !== null) return quarantine.until;
  return Math.min(deadlines.timeoutAt ?? deadlines.lifetimeAt, deadlines.lifetimeAt);
}

export function sandboxView(record: SandboxRecord, config: ControlConfig): Sandbox {
  const { deadlines } = record;
  const host = config.publicHost(record.id);
  const expires = toRfc3339(expiresAt(record));
  return {
    id: record.id,
    sandbox_id: record.id,
    object: "sandbox",
    status: wireStatusOf[record.status],
    organization_id: config.organizationId,
    template_id: record.templateId,
    template_name: record.templateName,
    ...(record.instanceId !== null && { node_id: record.instanceId }),
    region: record.region,
    public_host: host,
    direct_url: config.directUrl?.(record.id) ?? host,
    preview_url: config.previewUrl?.(record.id) ?? host,
    resources: record.resources,
    internet_access: record.internetAccess,
    live_mode: true,
    timeout_seconds: deadlines.timeoutSeconds,
    expires_at: expires,
    created_at: toRfc3339(record.createdAt),
    ...(record.startedAt !== null && { started_at: toRfc3339(record.startedAt) }),
    end_at: record.endedAt === null ? expires : toRfc3339(record.endedAt),
    idle_timeout_seconds: deadlines.idleTimeoutSeconds,
    max_lifetime_seconds: deadlines.maxLifetimeSeconds,
    last_activity_at: toRfc3339(record.lastActivityAt),
    end_reason: record.endReason,
    compute_billed: isBilled(record, config),
    enforced: record.enforced,
    quarantine: quarantineView(record),
  };
}

export function quarantineView({ quarantine }: SandboxRecord): QuarantineView | null {
  if (quarantine === null) return null;
  const { at, by, reason, until } = quarantine;
  return { at: toRfc3339(at), by, reason, until: toRfc3339(until) };
}

const withInstance: ReadonlySet<SandboxStatus> = new Set(["creating", "running", "paused"]);

function isBilled({ status }: SandboxRecord, { billed = false }: ControlConfig): boolean {
  return billed && withInstance.has(status);
}

export function statusView(record: SandboxRecord, config: ControlConfig, requestId: string): StatusAnswer {
  return {
    id: record.id,
    status: wireStatusOf[record.status],
    compute_billed: isBilled(record, config),
    request_id: requestId,
  };
}

export function tokenView(issued: IssuedToken): SandboxToken {
  return { auth_token: issued.token, token_expires_at: toRfc3339(issued.expiresAt) };
}
