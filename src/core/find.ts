import { BulkheadError } from "#contracts/errors.ts";
import { toRfc3339 } from "#contracts/time.ts";
import { expiresAt } from "./deadlines.ts";
import { isOver } from "./lifecycle.ts";
import type { Principal, SandboxRecord } from "./model.ts";
import type { SandboxStore } from "./ports.ts";

/** A project's own sandbox, living or ended. Another project's cannot be told from one that never was. @throws BulkheadError SANDBOX_NOT_FOUND */
export async function findSandbox(store: SandboxStore, principal: Principal, id: string): Promise<SandboxRecord> {
  const record = await store.get(id);
  if (record?.projectId === principal.projectId) return record;
  throw new BulkheadError("SANDBOX_NOT_FOUND", `Sandbox ${id} not found`);
}

/** @throws BulkheadError SANDBOX_NOT_FOUND | SANDBOX_EXPIRED */
export async function findLiveSandbox(store: SandboxStore, principal: Principal, id: string): Promise<SandboxRecord> {
  const record = await findSandbox(store, principal, id);
  if (isOver(record.status)) throw sandboxEnded(record);
  return record;
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
