import { unlink } from "node:fs/promises";
import { BulkheadError } from "#contracts/errors.ts";
import type { StopOptions } from "#core/ports.ts";
import type { Ending, Entry, State } from "./compute-state.ts";
import { type RunningInstance, removeDirectory } from "./instance.ts";

/** @returns the end that is under way: what it keeps was said by whoever began it */
export function end({ entries }: State, id: string, entry: Entry, running: RunningInstance, keepDisk = false): Ending {
  // A disk that could not be kept is left, with its entry, for a stop that does not ask for it.
  entry.ending ??= { keepDisk, done: running.teardown({ keepDisk }).then(() => void entries.delete(id)) };
  entry.ending.done.catch(() => {});
  return entry.ending;
}

/** Ends what has no entry: parts whose removal failed once. */
async function stopLeftover(state: State, id: string): Promise<void> {
  if (state.preparing === null) return;
  const { cgroups, disks, layout } = (await state.preparing).workshop;
  await cgroups.remove(id);
  const directory = `${layout.instances}/${id}`;
  await disks?.remove(id, `${directory}/ws`);
  await unlink(`${layout.sockets}/${id}`).catch(() => {});
  await removeDirectory(directory);
}

const noDisk =
  "This host has no disks for sandboxes: their files are in memory and cannot outlive a stop. Run `bulkhead doctor` to see what is missing, or pause the sandbox instead.";

export async function stop(state: State, id: string, { keepDisk = false }: StopOptions = {}): Promise<void> {
  if (keepDisk && state.parts.disks === null) throw new BulkheadError("INVALID_REQUEST", noDisk);
  const entry = state.entries.get(id);
  if (entry === undefined) {
    await stopLeftover(state, id);
    return;
  }
  const running = await entry.started.catch(() => null);
  if (running === null) return;
  const ending = end(state, id, entry, running, keepDisk);
  if (!keepDisk) {
    await ending.done.catch(() => stopLeftover(state, id));
    state.entries.delete(id);
    return;
  }
  await ending.done;
  if (!ending.keepDisk) {
    throw new BulkheadError("CONFLICT", "The sandbox has just ended for another reason: its files are gone.");
  }
}

/** A disk whose instance is being ended may be on its way to the shelf. */
export async function awaitShelved({ entries }: State, diskId: string): Promise<void> {
  for (const { running, ending } of [...entries.values()]) {
    if (running?.diskId === diskId) await ending?.done.catch(() => {});
  }
}

/** A disk that an instance uses ends with it. */
export async function removeDisk(state: State, diskId: string): Promise<void> {
  const { disks, shelf, identities } = state.parts;
  await awaitShelved(state, diskId);
  if (disks === null || !shelf.list().includes(diskId)) return;
  const disk = shelf.take(diskId);
  try {
    await disks.removeKept(diskId);
  } catch (error) {
    shelf.put(disk);
    throw error;
  }
  identities.giveBack(disk.identity);
}
