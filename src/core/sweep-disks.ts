import type { CoreDeps } from "./deps.ts";
import { isOver } from "./lifecycle.ts";
import type { Suspects } from "./suspects.ts";
import type { World } from "./sweep-world.ts";

export interface DiskSweeper {
  /** Removes a kept disk that no living sandbox names. @returns what was done, null for nothing */
  sweep(diskId: string, world: World): Promise<"leaked" | "renewed" | null>;
}

/**
 * Where sandboxes are read from an index that follows the table, by functions that are replaced one after the other: what one of them
 * does not see, or cannot read, may be there all the same, and files that are removed do not come back.
 */
const elsewhereMs = 300_000;

export function makeDiskSweeper(deps: CoreDeps, suspects: Suspects): DiskSweeper {
  const { ports } = deps;

  return {
    async sweep(diskId, world) {
      // There the function that ends a stopped sandbox may not remove files, and this is how they go.
      const planned = deps.config.launching === "elsewhere";
      const named = [...world.sandboxes.values()].filter((sandbox) => sandbox.diskId === diskId);
      if (named.some((sandbox) => !isOver(sandbox.status))) return null;
      if (!suspects.confirmed(`disk ${diskId}`, planned ? elsewhereMs : undefined)) return null;
      ports.logger[planned ? "info" : "warn"]("disk without a sandbox removed by the sweeper", { disk: diskId });
      await ports.compute.removeDisk(diskId);
      return planned ? "renewed" : "leaked";
    },
  };
}
