import { readdirSync } from "node:fs";
import { rm } from "node:fs/promises";
import type { Cgroups } from "./cgroups.ts";
import { type Disks, keptDirectory } from "./disks.ts";
import { readMountPointsBelow, unmountAllBelow } from "./mounts.ts";
import { killQuietly, processesMarked } from "./processes.ts";
import type { RunCommand } from "./run-command.ts";
import type { Leftovers } from "./types.ts";

export interface LeftoverPlaces {
  readonly run: RunCommand;
  readonly root: boolean;
  /** Start of the markers in command lines of this platform's sandboxes. */
  readonly marker: string;
  readonly runDir: string;
  readonly imageDirectory: string;
  readonly cgroups: Cgroups;
  readonly disks: Disks | null;
}

function entriesOf(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

/** Deletes the run directory unless something is still mounted in it: deleting through a bind mount would delete its source. */
export async function removeRunDir(runDir: string): Promise<void> {
  const mounted = readMountPointsBelow(runDir);
  if (mounted.length > 0) throw new Error(`still mounted: ${mounted.join(", ")}. Unmount it, then start again.`);
  await rm(runDir, { recursive: true, force: true });
}

async function killStragglers(marker: string): Promise<number> {
  const seen = new Set<number>();
  const giveUpAt = performance.now() + 5_000;
  for (;;) {
    const alive = processesMarked(marker);
    for (const pid of alive) {
      seen.add(pid);
      killQuietly(pid);
    }
    if (alive.length === 0 || performance.now() > giveUpAt) return seen.size;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Removes what a run that was killed left behind: processes first, as they hold everything else. */
export async function cleanLeftovers(places: LeftoverPlaces): Promise<Leftovers> {
  const { run, cgroups, disks, runDir } = places;
  const names = cgroups.list();
  const members = names.flatMap((name) => cgroups.members(name));
  for (const name of names) await cgroups.remove(name);
  await cgroups.close();
  const marked = await killStragglers(places.marker);
  const mounts = places.root ? await unmountAllBelow(run, runDir) : 0;
  if (places.root) await unmountAllBelow(run, places.imageDirectory);
  const directories = entriesOf(`${runDir}/i`).length;
  await removeRunDir(runDir);
  const images = (await disks?.list()) ?? [];
  for (const name of images) await rm(`${places.imageDirectory}/${name}.img`, { force: true });
  // Nobody knows any more whose they were: sandboxes end with their platform, stopped ones too.
  const kept = `${places.imageDirectory}/${keptDirectory}`;
  const all = images.length + entriesOf(kept).length;
  await rm(kept, { recursive: true, force: true });
  return { processes: members.length + marked, mounts, cgroups: names.length, directories, images: all };
}
