import { BulkheadError } from "#contracts/errors.ts";
import type { Identity } from "./identity.ts";

/**
 * A disk between two instances. Its files belong to the host ids of the instance that made it, so it holds on to them: whoever works on it
 * next gets the same, and no file needs a new owner.
 */
export interface KeptDisk {
  readonly id: string;
  readonly identity: Identity;
}

/** Kept disks that no instance uses. In memory, since no disk outlives the platform. */
export interface DiskShelf {
  put(disk: KeptDisk): void;
  /** Takes it off, so that nobody else can. @throws BulkheadError INTERNAL_ERROR when it is not there */
  take(diskId: string): KeptDisk;
  list(): readonly string[];
}

export function makeDiskShelf(): DiskShelf {
  const disks = new Map<string, KeptDisk>();
  return {
    put: (disk) => void disks.set(disk.id, disk),
    take(diskId) {
      const disk = disks.get(diskId);
      if (disk === undefined) throw new BulkheadError("INTERNAL_ERROR", "The sandbox's files are not there any more.");
      disks.delete(diskId);
      return disk;
    },
    list: () => [...disks.keys()],
  };
}
