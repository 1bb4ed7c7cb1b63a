import { BulkheadError } from "#contracts/errors.ts";
import type { CoreDeps } from "./deps.ts";

/**
 * Takes one place of the project's quota. A refusal asks the sweeper to recount: a place lost in a crash comes back with its next
 * passes. Recounting here instead would forget creates that hold a place and have no record yet.
 * @throws BulkheadError RESOURCE_LIMIT_ERROR
 */
export async function takeQuota(deps: CoreDeps, projectId: string): Promise<void> {
  const limit = deps.config.quotaPerProject;
  deps.recount.add(projectId);
  if ((await deps.ports.sandboxes.takeQuota(projectId, limit)) === "written") return;
  throw new BulkheadError(
    "RESOURCE_LIMIT_ERROR",
    `Project limit of ${limit} live sandboxes reached. End some, or raise the limit.`,
    { details: { limit, current: await deps.ports.sandboxes.quotaInUse(projectId), available: 0 } },
  );
}
