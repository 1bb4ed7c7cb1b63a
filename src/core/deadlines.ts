import type { ActivateRequest, Lease } from "#contracts/agent-control.ts";
import type { EndReason } from "#contracts/domain.ts";
import type { Deadlines, SandboxRecord, TemplateRecord } from "./model.ts";

/** What a deployment sets, in seconds. */
export interface DeploymentLimits {
  readonly idleTimeoutSeconds: number;
  readonly maxLifetimeSeconds: number;
}

export interface AskedLimits {
  readonly timeoutSeconds: number | null;
  readonly idleTimeoutSeconds?: number | undefined;
  readonly maxLifetimeSeconds?: number | undefined;
}

/**
 * The sandbox's own deadlines: what the caller asked for, else the template's, else the deployment's. The deployment's maximum
 * lifetime is a ceiling for everyone, and no idle timeout is longer than the lifetime.
 */
export function decideDeadlines(
  asked: AskedLimits,
  template: TemplateRecord,
  deployment: DeploymentLimits,
  now: number,
): Deadlines {
  const lifetime = Math.min(
    asked.maxLifetimeSeconds ?? template.maxLifetimeSeconds ?? deployment.maxLifetimeSeconds,
    deployment.maxLifetimeSeconds,
  );
  const idle = Math.min(
    asked.idleTimeoutSeconds ?? template.idleTimeoutSeconds ?? deployment.idleTimeoutSeconds,
    lifetime,
  );
  return {
    timeoutSeconds: asked.timeoutSeconds,
    timeoutAt: asked.timeoutSeconds === null ? null : now + asked.timeoutSeconds * 1000,
    idleTimeoutSeconds: idle,
    maxLifetimeSeconds: lifetime,
    lifetimeAt: now + lifetime * 1000,
  };
}

/** A new `timeout_seconds` counts from now; null clears it. */
export function withTimeout(deadlines: Deadlines, timeoutSeconds: number | null, now: number): Deadlines {
  return { ...deadlines, timeoutSeconds, timeoutAt: timeoutSeconds === null ? null : now + timeoutSeconds * 1000 };
}

/** What callers see as `expires_at`: the first of timeout and lifetime. */
export function expiresAt(deadlines: Deadlines): number {
  return Math.min(deadlines.timeoutAt ?? Number.POSITIVE_INFINITY, deadlines.lifetimeAt);
}

/** The same deadlines in the agent's words. */
export function leaseOf(deadlines: Deadlines): Lease {
  return {
    ...(deadlines.timeoutAt === null ? {} : { timeout_at: deadlines.timeoutAt }),
    lifetime_at: deadlines.lifetimeAt,
    idle_ms: deadlines.idleTimeoutSeconds * 1000,
  };
}

/** What an agent is told when its instance is given to a sandbox. */
export function activation(
  record: SandboxRecord,
  env: Readonly<Record<string, string>>,
  deadlines: Deadlines,
): ActivateRequest {
  return {
    sandbox_id: record.id,
    env: { ...env },
    ...(record.secretNames.length > 0 && { secret_names: [...record.secretNames] }),
    lease: leaseOf(deadlines),
    internet_access: record.internetAccess,
    resources: record.resources,
  };
}

/** Which deadline passed first, hence why the sandbox must end; null when none has passed. */
export function overdue(record: SandboxRecord, now: number): EndReason | null {
  // Held for inspection: only the end of that ends it.
  if (record.quarantine !== null) return record.quarantine.until <= now ? "lifetime" : null;
  const { deadlines } = record;
  const idleAt = record.lastActivityAt + deadlines.idleTimeoutSeconds * 1000;
  const due: readonly (readonly [EndReason, number])[] = [
    ["timeout", deadlines.timeoutAt ?? Number.POSITIVE_INFINITY],
    ["lifetime", deadlines.lifetimeAt],
    ["idle", record.status === "running" ? idleAt : Number.POSITIVE_INFINITY],
  ];
  const first = due.reduce((earliest, one) => (one[1] < earliest[1] ? one : earliest));
  return first[1] <= now ? first[0] : null;
}
