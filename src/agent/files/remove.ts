import { randomBytes } from "node:crypto";
import { closeSync, constants, opendirSync, openSync, renameSync, rmdirSync, unlinkSync } from "node:fs";
import { setImmediate as nextTurn } from "node:timers/promises";
import { at, type Confinement, closingLater, itself } from "./confinement.ts";
import { errnoOf, fileError } from "./errors.ts";

/** Deeper directories are first moved up: each level on the way down costs a descriptor, and trees may be deeper than those last. */
const maxDepth = 50;

interface Directory {
  readonly fd: number;
}

function named(directory: Directory, name: Buffer): Buffer {
  return Buffer.concat([Buffer.from(at(directory, "")), name]);
}

/** False: it is a directory. Gone already is as good as removed. */
function unlinked(path: Buffer): boolean {
  try {
    unlinkSync(path);
    return true;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return true;
    if (errnoOf(error) === "EISDIR") return false;
    throw error;
  }
}

/** Never follows a link: directories are opened by name in a held directory, with O_NOFOLLOW. */
function openDirectory(path: Buffer): Directory {
  return { fd: openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW) };
}

async function empty(directory: Directory, top: Directory, depth: number): Promise<void> {
  let count = 0;
  // latin1 keeps each byte: names need not be UTF-8.
  const entries = opendirSync(itself(directory), { encoding: "latin1", bufferSize: 256 });
  for await (const { name } of entries) {
    const path = named(directory, Buffer.from(name, "latin1"));
    if (unlinked(path)) {
      count += 1;
      if (count % 500 === 0) await nextTurn();
    } else if (depth >= maxDepth) {
      renameSync(path, at(top, `.bulkhead-${randomBytes(12).toString("hex")}`));
    } else {
      await removeDirectory(path, top, depth + 1);
    }
  }
}

/** Again while something new appears in it: names moved up, or a user who goes on writing. */
async function removeDirectory(path: Buffer, top: Directory | undefined, depth: number): Promise<void> {
  for (let rounds = 0; ; rounds += 1) {
    try {
      const directory = openDirectory(path);
      try {
        await empty(directory, top ?? directory, depth);
      } finally {
        closeSync(directory.fd);
      }
      rmdirSync(path);
      return;
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return;
      if (errnoOf(error) !== "ENOTEMPTY" || rounds > 10_000) throw error;
    }
  }
}

/** A link is removed itself, a directory with everything below it. */
export async function remove(confinement: Confinement, path: string): Promise<string> {
  const place = confinement.place(path);
  return closingLater(place.directory, async () => {
    const target = Buffer.from(at(place.directory, place.name));
    try {
      try {
        unlinkSync(target);
      } catch (error) {
        if (errnoOf(error) !== "EISDIR") throw error;
        await removeDirectory(target, undefined, 0);
      }
    } catch (error) {
      throw fileError(error, place.path);
    }
    return place.path;
  });
}
