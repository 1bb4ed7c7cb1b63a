import type { CoreDeps } from "./deps.ts";
import type { Suspects } from "./suspects.ts";

export interface QuotaSweeper {
  /** Counters and counts of `projects`, as they are now. */
  count(projects: ReadonlySet<string>): Promise<readonly QuotaCount[]>;
  /** Sets a counter right that has differed for the grace time. @returns whether it did */
  repair(count: QuotaCount): Promise<boolean>;
}

export interface QuotaCount {
  readonly projectId: string;
  readonly counted: number;
  readonly live: number;
}

export function makeQuotaSweeper(deps: CoreDeps, suspects: Suspects): QuotaSweeper {
  const { sandboxes, logger } = deps.ports;
  return {
    /** Counters first: a create or an end in between moves the counter, and the repair, which is conditional on it, is lost. */
    async count(projects) {
      const counters = new Map<string, number>();
      for (const projectId of projects) counters.set(projectId, await sandboxes.quotaInUse(projectId));
      const live = new Map<string, number>();
      for await (const { projectId } of sandboxes.listLive()) live.set(projectId, (live.get(projectId) ?? 0) + 1);
      return [...counters].map(([projectId, counted]) => ({ projectId, counted, live: live.get(projectId) ?? 0 }));
    },
    async repair({ projectId, counted, live }) {
      if (counted === live) {
        if (live === 0) deps.recount.delete(projectId);
        return false;
      }
      if (!suspects.confirmed(`quota ${projectId} ${counted - live}`)) return false;
      logger.warn("quota counter repaired", { project: projectId, counted, live });
      return (await sandboxes.repairQuota(projectId, counted, live)) === "written";
    },
  };
}
