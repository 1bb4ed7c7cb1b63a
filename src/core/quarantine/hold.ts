import type { Lease } from "#contracts/agent-control.ts";
import { backstopSeconds } from "../draft.ts";
import type { Quarantine, SandboxRecord } from "../model.ts";

/** How long a sandbox is held unless somebody says otherwise: a week. */
export const defaultHoldSeconds = 7 * 86_400;

export interface Hold {
  readonly by: string;
  readonly reason: string;
  readonly holdMs: number;
}

/**
 * What a record says once it is held, in one write: tokens and links of before are dead, it runs no more, and nothing but the end of the
 * hold ends it. One that is held already keeps who held it and why; a longer hold counts.
 * @returns null where nothing changes
 */
export function held(record: SandboxRecord, { by, reason, holdMs }: Hold, now: number): SandboxRecord | null {
  const until = now + holdMs;
  if (record.quarantine !== null) {
    return until <= record.quarantine.until
      ? null
      : { ...kept(record, { ...record.quarantine, until }), version: record.version + 1 };
  }
  const before = record.status === "running" || record.status === "paused" ? record.status : "stopped";
  return {
    ...kept(record, { at: now, by, reason, until, before }),
    status: record.status === "running" ? "paused" : record.status,
    tokenGeneration: record.tokenGeneration + 1,
    ports: record.ports.map((port) => ({ ...port, linkGeneration: port.linkGeneration + 1 })),
    version: record.version + 1,
  };
}

function kept(record: SandboxRecord, quarantine: Quarantine): SandboxRecord {
  const backstop = Math.ceil(quarantine.until / 1000) + backstopSeconds;
  return { ...record, quarantine, expiresAtSeconds: Math.max(record.expiresAtSeconds ?? 0, backstop) };
}

/** What it says once it is let go: as it was, at rest, with as much time left as it had when it was held. */
export function letGo(record: SandboxRecord, now: number): SandboxRecord {
  const { quarantine, deadlines } = record;
  if (quarantine === null) return record;
  const heldMs = Math.max(0, now - quarantine.at);
  const lifetimeAt = deadlines.lifetimeAt + heldMs;
  return {
    ...record,
    quarantine: null,
    deadlines: {
      ...deadlines,
      timeoutAt: deadlines.timeoutAt === null ? null : deadlines.timeoutAt + heldMs,
      lifetimeAt,
    },
    lastActivityAt: Math.max(record.lastActivityAt, now),
    expiresAtSeconds: Math.ceil(lifetimeAt / 1000) + backstopSeconds,
    version: record.version + 1,
  };
}

/** The hold in the agent's words: nothing else ends the instance meanwhile. */
export function holdLease({ at, until }: Quarantine): Lease {
  return { lifetime_at: until, idle_ms: Math.max(1, until - at) };
}
