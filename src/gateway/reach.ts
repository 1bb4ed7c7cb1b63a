import { BulkheadError } from "#contracts/errors.ts";
import type { Clock } from "#core/ports.ts";
import type { AccessRules, Asked, OpenTarget } from "./access.ts";
import type { CachedDirectory } from "./directory-cache.ts";

export interface Failed {
  readonly outcome: "failed";
  readonly repeatable: boolean;
  readonly error: Error;
}

interface ReachDeps {
  readonly access: AccessRules;
  readonly directory: CachedDirectory;
  readonly clock: Clock;
  readonly settleMs: number;
}

/**
 * Reaches the agent of a sandbox: waits for it while it is being created, looks it up anew and tries once more when a
 * repeatable attempt failed, and says the sandbox's true end when that is why it does not answer.
 * @throws BulkheadError AGENT_UNREACHABLE, and those of {@link AccessRules.open}
 */
export async function reach<T extends { readonly outcome: string }>(
  deps: ReachDeps,
  asked: Asked,
  gone: () => boolean,
  attempt: (target: OpenTarget) => Promise<T | Failed>,
): Promise<T> {
  let result = await attempt(await deps.access.open(asked, gone));
  if (isFailed(result) && result.repeatable) {
    deps.directory.forget(asked.sandboxId);
    result = await attempt(await deps.access.open(asked, gone));
  }
  if (!isFailed(result)) return result;
  await learnEnd(deps, asked, gone);
  throw new BulkheadError(
    "AGENT_UNREACHABLE",
    "The sandbox's agent did not answer. Repeat the request; if it persists, create a new sandbox.",
    {
      details: { sandbox_id: asked.sandboxId },
      cause: result.error,
    },
  );
}

/** An agent's death is known to its connections first. Gives the record a moment to say how the sandbox ended; throws it then. */
async function learnEnd(deps: ReachDeps, asked: Asked, gone: () => boolean): Promise<void> {
  const deadline = deps.clock.now() + deps.settleMs;
  while (!gone()) {
    deps.directory.forget(asked.sandboxId);
    await deps.access.open(asked, () => true);
    if (deps.clock.now() >= deadline) return;
    await deps.clock.sleep(100);
  }
}

function isFailed(result: { readonly outcome: string }): result is Failed {
  return result.outcome === "failed";
}
