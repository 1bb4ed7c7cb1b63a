import type { Principal, RequestContext, SandboxRecord } from "#core/model.ts";
import type { ControlPlane } from "../control-plane.ts";

/** What a project has in use. Sizes of disks in gigabytes. */
export interface Usage {
  readonly active_sandboxes: number;
  readonly total_vcpu: number;
  readonly total_memory_mb: number;
  readonly total_disk_gb: number;
}

const pageSize = 100;

/** Sums over the living sandboxes of the caller's project, read page by page. */
export async function usageOf(
  { sandboxes }: Pick<ControlPlane, "sandboxes">,
  principal: Principal,
  context: RequestContext,
): Promise<Usage> {
  const live: SandboxRecord[] = [];
  for (let cursor: string | null = null; ; ) {
    const page = await sandboxes.list(principal, { limit: pageSize, cursor, statuses: null, region: null }, context);
    live.push(...page.items);
    if (page.nextCursor === null) break;
    cursor = page.nextCursor;
  }
  const sum = (of: (record: SandboxRecord) => number) => live.reduce((total, record) => total + of(record), 0);
  return {
    active_sandboxes: live.length,
    // A stopped one has its files and nothing else.
    total_vcpu: sum(({ status, resources }) => (status === "stopped" ? 0 : resources.vcpu)),
    total_memory_mb: sum(({ status, resources }) => (status === "stopped" ? 0 : resources.memory_mb)),
    total_disk_gb: Math.round((sum(({ resources }) => resources.disk_mb) / 1024) * 100) / 100,
  };
}
