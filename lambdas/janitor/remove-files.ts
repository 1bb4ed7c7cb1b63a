import { randomUUID } from "node:crypto";
import { constants, type Dir } from "node:fs";
import { type FileHandle, open, opendir, rename, rmdir, unlink } from "node:fs/promises";
import { join } from "node:path";
import { instanceIdSchema } from "#contracts/ids.ts";
import type { JanitorAnswer } from "#contracts/janitor.ts";

export interface RemoveDeps {
  /** Where the file system's root is mounted; a disk's files are in `instances/<id of the instance it was made for>`. */
  readonly mount: string;
  /** True when it is time to stop; what is left is taken on by the next call. */
  readonly expired: () => boolean;
}

/**
 * Removes the directories of disks that no instance uses any more. Whatever user code left there is only ever unlinked: nothing is followed and
 * nothing is opened but directories, each through the handle of the one above it, so that no name or link leads anywhere else.
 */
export async function removeFiles(deps: RemoveDeps, instanceIds: readonly string[]): Promise<JanitorAnswer> {
  const removed: string[] = [];
  const left: JanitorAnswer["left"][number][] = [];
  const parent = await openDirectory(join(deps.mount, "instances"));
  try {
    for (const instanceId of instanceIds) {
      const why = await removeOne(deps, parent, instanceId);
      if (why === null) removed.push(instanceId);
      else left.push({ instanceId, why });
    }
  } finally {
    await parent?.close();
  }
  return { removed, left };
}

/** @returns why something is left, or null when nothing is */
async function removeOne(deps: RemoveDeps, parent: FileHandle | null, instanceId: string): Promise<string | null> {
  if (!instanceIdSchema.safeParse(instanceId).success) return "not an instance id";
  if (parent === null) return null;
  if (deps.expired()) return "out of time";
  const path = within(parent, instanceId);
  try {
    const directory = await openDirectory(path);
    if (directory === null) return null;
    try {
      if (!(await empty(deps, directory))) return "out of time";
    } finally {
      await directory.close();
    }
    await rmdir(path);
    return null;
  } catch (error) {
    return `not removed: ${codeOf(error) ?? "unknown"}`;
  }
}

/** @returns null when there is none. @throws Error for a link or a file in its place */
async function openDirectory(path: string | Buffer): Promise<FileHandle | null> {
  try {
    return await open(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return null;
    throw error;
  }
}

/** A name below an open directory, whatever became of the path it was opened by. */
function within(directory: FileHandle, name: string): string {
  return `/proc/self/fd/${directory.fd}/${name}`;
}

/** The same for a name of any bytes, read as latin1. */
function bytesWithin(directory: FileHandle, name: string): Buffer {
  return Buffer.from(within(directory, name), "latin1");
}

const batchSize = 64;

/**
 * Removes everything below `top`. A directory's own directories are moved up to `top` before it is removed, so that a tree of any
 * depth needs two open directories, no long path, and is not deeper than before when time runs out.
 * @returns whether all of it is gone
 */
async function empty(deps: RemoveDeps, top: FileHandle): Promise<boolean> {
  for (;;) {
    let seen = 0;
    for await (const names of batches(top)) {
      if (deps.expired()) return false;
      seen += names.length;
      const directories = await unlinkAll(top, names);
      for (const name of directories) {
        if (!(await removeDirectory(deps, top, name))) return false;
      }
    }
    // Removing while reading may hide names from the reading.
    if (seen === 0) return true;
  }
}

async function removeDirectory(deps: RemoveDeps, top: FileHandle, name: string): Promise<boolean> {
  const path = bytesWithin(top, name);
  const directory = await openDirectory(path);
  if (directory === null) return true;
  try {
    for (let seen = -1; seen !== 0; ) {
      seen = 0;
      for await (const names of batches(directory)) {
        if (deps.expired()) return false;
        seen += names.length;
        for (const inner of await unlinkAll(directory, names)) {
          await rename(bytesWithin(directory, inner), within(top, randomUUID()));
        }
      }
    }
  } finally {
    await directory.close();
  }
  await rmdir(path);
  return true;
}

/** Unlinks what can be unlinked. @returns the names of directories */
async function unlinkAll(directory: FileHandle, names: readonly string[]): Promise<string[]> {
  const directories: string[] = [];
  await Promise.all(
    names.map(async (name) => {
      try {
        await unlink(bytesWithin(directory, name));
      } catch (error) {
        const code = codeOf(error);
        // Linux says EISDIR of a directory, POSIX and some file servers EPERM.
        if (code === "EISDIR" || code === "EPERM") directories.push(name);
        else if (code !== "ENOENT") throw error;
      }
    }),
  );
  return directories;
}

/** Names in a directory, some at a time: there may be millions. As latin1, which keeps names that are no text. */
async function* batches(directory: FileHandle): AsyncGenerator<readonly string[]> {
  const entries: Dir = await opendir(`/proc/self/fd/${directory.fd}`, { encoding: "latin1", bufferSize: batchSize });
  let batch: string[] = [];
  for await (const entry of entries) {
    batch.push(entry.name);
    if (batch.length < batchSize) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}
