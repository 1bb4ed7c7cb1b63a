import { BulkheadError } from "#contracts/errors.ts";
import { makeSandboxId } from "#contracts/ids.ts";
import { creatingDeadlineMs } from "./config.ts";
import type { CoreDeps } from "./deps.ts";
import { sandboxEnded } from "./find.ts";
import { isOver } from "./lifecycle.ts";
import type { SandboxRecord } from "./model.ts";
import type { IdempotencyClaim } from "./ports.ts";

/** How long an `Idempotency-Key` is remembered. */
const rememberSeconds = 86_400;
const pollMs = 50;
/** A failed create takes its claim back at once; one that is still there after this was left by a crash. */
const releaseGraceMs = 5_000;

export interface OnceRequest {
  readonly projectId: string;
  readonly key: string;
  readonly bodyHash: string;
  /** Makes the sandbox under the given id. `release` is for a failure that comes after it returned. */
  make(sandboxId: string, release: () => Promise<void>): Promise<SandboxRecord>;
}

/**
 * The first create with a key makes the sandbox; every repeat waits for that one and gets it. A first one that failed is forgotten:
 * the repeat is then the first.
 * @throws BulkheadError CONFLICT for another body, SANDBOX_EXPIRED when the sandbox has ended since, SANDBOX_CREATING
 */
export async function createOnce(deps: CoreDeps, request: OnceRequest): Promise<SandboxRecord> {
  const { sandboxes, clock } = deps.ports;
  const { projectId, key, bodyHash } = request;
  const giveUpAt = clock.now() + deps.config.createWaitMs;
  const release = (sandboxId: string) => sandboxes.releaseIdempotency(projectId, key, sandboxId);
  for (;;) {
    const sandboxId = makeSandboxId(clock);
    const expiresAtSeconds = Math.floor(clock.now() / 1000) + rememberSeconds;
    const { existing } = await sandboxes.claimIdempotency({ projectId, key, bodyHash, sandboxId, expiresAtSeconds });
    if (existing === null || existing.sandboxId === sandboxId) {
      try {
        return await request.make(sandboxId, () => release(sandboxId));
      } catch (thrown) {
        await release(sandboxId);
        throw thrown;
      }
    }
    if (existing.bodyHash !== bodyHash) {
      throw new BulkheadError(
        "CONFLICT",
        "This Idempotency-Key was used with another request body. Use a new key for a new request.",
      );
    }
    const record = await sandboxes.get(existing.sandboxId);
    if (record !== undefined && record.status !== "creating" && !hasFailed(record)) return live(record);
    if (wasLeft(existing, record, clock.now(), creatingDeadlineMs(deps.config))) {
      await release(existing.sandboxId);
      continue;
    }
    if (clock.now() >= giveUpAt) {
      if (record !== undefined && !hasFailed(record)) return record;
      throw new BulkheadError(
        "SANDBOX_CREATING",
        "The first request with this Idempotency-Key is still at work. Repeat in a moment.",
      );
    }
    await clock.sleep(pollMs);
  }
}

function live(record: SandboxRecord): SandboxRecord {
  if (isOver(record.status)) throw sandboxEnded(record);
  return record;
}

function hasFailed(record: SandboxRecord): boolean {
  return record.endReason === "create_failed";
}

/** True for a claim whose create was cut off by a crash: nothing was made of it in time, or its failure did not take it back. */
function wasLeft(claim: IdempotencyClaim, record: SandboxRecord | undefined, now: number, deadlineMs: number): boolean {
  if (record === undefined) {
    const claimedAt = (claim.expiresAtSeconds - rememberSeconds) * 1000;
    return now > claimedAt + deadlineMs;
  }
  return hasFailed(record) && record.endedAt !== null && now > record.endedAt + releaseGraceMs;
}
