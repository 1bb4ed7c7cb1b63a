import type { Permission } from "#contracts/access.ts";
import { BulkheadError } from "#contracts/errors.ts";
import { toRfc3339 } from "#contracts/time.ts";
import { permitted, requireAccess } from "./access.ts";
import { expiresAt } from "./deadlines.ts";
import { isOver } from "./lifecycle.ts";
import type { Principal, SandboxRecord } from "./model.ts";
import type { SandboxStore } from "./ports.ts";

/** What a caller asks of a sandbox. */
export interface SandboxAsk {
  readonly principal: Principal;
  readonly permission: Permission;
  readonly id: string;
}

/** A sandbox that the caller may do this to, living or ended. @throws BulkheadError FORBIDDEN | SANDBOX_NOT_FOUND */
export async function findSandbox(
  store: Pick<SandboxStore, "get">,
  { principal, permission, id }: SandboxAsk,
): Promise<SandboxRecord> {
  requireAccess(principal, permission);
  const record = await store.get(id);
  requireAccess(principal, permission, { kind: "sandbox", id, owner: record });
  if (record !== undefined) return held(record, principal, permission);
  throw new BulkheadError("SANDBOX_NOT_FOUND", `Sandbox ${id} not found`);
}

/** @throws BulkheadError FORBIDDEN | SANDBOX_NOT_FOUND | SANDBOX_EXPIRED */
export async function findLiveSandbox(store: Pick<SandboxStore, "get">, ask: SandboxAsk): Promise<SandboxRecord> {
  const record = await findSandbox(store, ask);
  if (isOver(record.status)) throw sandboxEnded(record);
  return record;
}

const looking: ReadonlySet<Permission> = new Set([
  "sandboxes:read",
  "sandboxes:quarantine",
  "network:read",
  "audit:read",
]);

/** What is held for inspection is looked at, and otherwise left to those who hold it. @throws BulkheadError SANDBOX_QUARANTINED */
function held(record: SandboxRecord, principal: Principal, permission: Permission): SandboxRecord {
  if (record.quarantine === null || isOver(record.status) || looking.has(permission)) return record;
  if (permission === "sandboxes:kill" && mayEndHeld(principal)) return record;
  throw quarantined(record);
}

/** Whoever may hold sandboxes may also end one that is held. */
export function mayEndHeld(principal: Principal): boolean {
  return permitted(principal, "sandboxes:quarantine");
}

export function quarantined(record: Pick<SandboxRecord, "id" | "quarantine">): BulkheadError {
  return new BulkheadError(
    "SANDBOX_QUARANTINED",
    `Sandbox ${record.id} is in quarantine: ${record.quarantine?.reason}. Whoever has the scope "sandboxes:quarantine" can release it.`,
    { details: { sandbox_id: record.id, quarantined_at: toRfc3339(record.quarantine?.at ?? 0) } },
  );
}

/** 410 with the true reason and the facts clients show (contract §2.4). */
export function sandboxEnded(record: SandboxRecord): BulkheadError {
  return new BulkheadError(
    "SANDBOX_EXPIRED",
    `Sandbox ${record.id} has ended: ${record.endReason ?? "unknown reason"}.`,
    {
      details: {
        sandbox_id: record.id,
        status: "deleted",
        end_reason: record.endReason,
        created_at: toRfc3339(record.createdAt),
        expires_at: toRfc3339(record.endedAt ?? expiresAt(record.deadlines)),
      },
    },
  );
}
