import { BulkheadError } from "#contracts/errors.ts";
import type { CoreDeps } from "./deps.ts";

/**
 * Takes one place of the project's quota. A counter that says "full" is checked against a count of what really lives before the
 * caller is refused, so that a place lost in a crash is never lost for good.
 * @throws BulkheadError RESOURCE_LIMIT_ERROR
 */
export async function takeQuota(deps: CoreDeps, projectId: string): Promise<void> {
  const { sandboxes } = deps.ports;
  const limit = deps.config.quotaPerProject;
  if ((await sandboxes.takeQuota(projectId, limit)) === "written") return;
  const counted = await sandboxes.quotaInUse(projectId);
  let live = 0;
  for await (const record of sandboxes.listLive()) if (record.projectId === projectId) live += 1;
  if (live < limit && live < counted) {
    await sandboxes.repairQuota(projectId, counted, live);
    if ((await sandboxes.takeQuota(projectId, limit)) === "written") return;
  }
  throw new BulkheadError(
    "RESOURCE_LIMIT_ERROR",
    `Project limit of ${limit} live sandboxes reached. End some, or raise the limit.`,
    {
      details: { limit, current: live, available: 0 },
    },
  );
}
