import { BulkheadError } from "#contracts/errors.ts";
import type { Making } from "./create.ts";
import type { CoreDeps } from "./deps.ts";
import { isOver } from "./lifecycle.ts";
import type { SandboxRecord } from "./model.ts";

const pollMs = 250;
/** The longest line for a launch that a caller is let into; a longer one is answered 429. */
const longestLineMs = 10_000;

/**
 * A cold start whose instance another process launches: the sandbox's record first, then the instance's, which is the order to
 * launch it. Waits for the sandbox to run as long as the door in front allows, then answers it as it is: `creating`.
 * @throws BulkheadError RATE_LIMIT_EXCEEDED when the line for launches is too long
 */
export async function makeElsewhere(
  deps: CoreDeps,
  making: Making,
  write: (change: Partial<SandboxRecord>) => Promise<SandboxRecord>,
): Promise<SandboxRecord> {
  const { ports, config, instances } = deps;
  const { clock } = ports;
  const giveUpAt = making.draft.createdAt + config.createWaitMs - pollMs;
  await standInLine(deps);
  const { draft, env } = making;
  const sealedEnv =
    Object.keys(env).length === 0
      ? null
      : await ports.vault.seal(env, { sandboxId: draft.id, projectId: draft.projectId });
  const wanted = instances.draft(making.template, draft.id);
  // After failed warm instances this takes back their `running`, of which no caller was told.
  await write({
    status: "creating",
    statusDeadlineAt: draft.statusDeadlineAt,
    instanceId: wanted.id,
    enforced: null,
    startedAt: null,
    sealedEnv,
  });
  await ports.instances.insert(wanted);
  for (;;) {
    const record = await ports.sandboxes.get(draft.id);
    if (record === undefined || isOver(record.status)) throw ended();
    if (record.status !== "creating" || clock.now() >= giveUpAt) return record;
    await clock.sleep(pollMs);
  }
}

/** Launches go out at the provider's pace. */
export async function standInLine(deps: CoreDeps): Promise<void> {
  const place = await deps.ports.admission.admit(longestLineMs);
  if ("waitMs" in place) {
    if (place.waitMs > 0) await deps.ports.clock.sleep(place.waitMs);
    return;
  }
  throw new BulkheadError(
    "RATE_LIMIT_EXCEEDED",
    `More sandboxes are being started than the provider launches at once. Repeat in ${place.retryAfterSeconds} s.`,
    { details: { retry_after_seconds: place.retryAfterSeconds } },
  );
}

function ended(): BulkheadError {
  return new BulkheadError("AGENT_UNREACHABLE", "The instance of the sandbox did not start. Try again.");
}
