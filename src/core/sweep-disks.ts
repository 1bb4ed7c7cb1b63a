import type { CoreDeps } from "./deps.ts";
import { isOver } from "./lifecycle.ts";
import type { Suspects } from "./suspects.ts";
import type { World } from "./sweep-world.ts";

export interface DiskSweeper {
  /** Removes a kept disk that no living sandbox names. @returns what was done, null for nothing */
  sweep(diskId: string, world: World): Promise<"leaked" | null>;
}

export function makeDiskSweeper(deps: CoreDeps, suspects: Suspects): DiskSweeper {
  const { ports } = deps;

  return {
    async sweep(diskId, world) {
      const named = [...world.sandboxes.values()].filter((sandbox) => sandbox.diskId === diskId);
      if (named.some((sandbox) => !isOver(sandbox.status)) || !suspects.confirmed(`disk ${diskId}`)) return null;
      ports.logger.warn("disk without a sandbox removed by the sweeper", { disk: diskId });
      await ports.compute.removeDisk(diskId);
      return "leaked";
    },
  };
}
