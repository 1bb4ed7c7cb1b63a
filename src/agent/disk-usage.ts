import { constants, type Stats } from "node:fs";
import { chmod, type FileHandle, lstat, open, opendir, realpath } from "node:fs/promises";
import { O_PATH } from "./files/confinement.ts";
import { errnoOf } from "./files/errors.ts";

const blockBytes = 512;
/** Questions to the file system at one time. */
const atOnce = 32;
/** A tree with more entries than this is over whatever limit there is; counting on would only cost. */
const mostEntries = 500_000;
/** A system call takes 4096 bytes of path, and trees may be deeper: from here on paths begin anew at an open directory. */
const longestPath = 3_000;

interface Count {
  bytes: number;
  entries: number;
}

/**
 * Bytes that a tree occupies, Infinity for one with too many entries to count. What vanishes meanwhile occupies nothing; links are not
 * followed. The tree is made by code that would rather not be counted: no depth, name or mode hides anything.
 * @throws Error when the file system does not answer
 */
export async function measure(root: string): Promise<number> {
  const count = { bytes: 0, entries: 0 };
  const real = await unlessGone(realpath(root, { encoding: "latin1" }));
  if (real === undefined) return 0;
  const counted = await walk(real, count);
  return counted ? count.bytes : Number.POSITIVE_INFINITY;
}

/** Paths are latin1, which keeps names that are no text. @returns false as soon as there are too many entries */
async function walk(root: string, count: Count): Promise<boolean> {
  const waiting = [root];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    const held = await hold(path);
    if (held === undefined) continue;
    const here = `/proc/self/fd/${held.fd}/.`;
    try {
      if (path.length > longestPath) {
        if (!(await walk(here, count))) return false;
        continue;
      }
      for await (const names of batches(here)) {
        count.entries += names.length;
        if (count.entries > mostEntries) return false;
        const found = await Promise.all(names.map((name) => about(here, name)));
        for (const [index, stat] of found.entries()) {
          if (stat === undefined) continue;
          count.bytes += sizeOf(stat);
          if (stat.isDirectory()) waiting.push(`${path}/${names[index] ?? ""}`);
        }
      }
    } finally {
      await held.close();
    }
  }
  return true;
}

/** Removed or replaced while it was looked at, or nobody's to look at. */
const gone = new Set(["ENOENT", "ENOTDIR", "ELOOP", "ESTALE", "EACCES", "EPERM"]);

async function unlessGone<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (gone.has(errnoOf(error) ?? "")) return undefined;
    throw error;
  }
}

/** A directory without opening it, and no link that took its place. */
function hold(path: string): Promise<FileHandle | undefined> {
  return unlessGone(open(bytesOf(path), O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW));
}

async function about(directory: string, name: string): Promise<Stats | undefined> {
  const path = bytesOf(`${directory}/${name}`);
  try {
    return await lstat(path);
  } catch {
    return unlessGone(unclosed(directory, () => lstat(path)));
  }
}

/** Text is cheaper, and the same where it is ASCII. */
function bytesOf(path: string): string | Buffer {
  return /[\x80-\xff]/.test(path) ? Buffer.from(path, "latin1") : path;
}

async function* batches(directory: string): AsyncGenerator<readonly string[]> {
  let batch: string[] = [];
  const options = { bufferSize: atOnce, encoding: "latin1" } as const;
  const entries = await unlessGone(unclosed(directory, () => opendir(directory, options)));
  if (entries === undefined) return;
  for await (const entry of entries) {
    batch.push(entry.name);
    if (batch.length < atOnce) continue;
    yield batch;
    batch = [];
  }
  yield batch;
}

/** On a file system whose server decides by owner the agent has no more rights than its user: who closes a directory hides nothing in it. */
async function unclosed<T>(directory: string, look: () => Promise<T>): Promise<T> {
  try {
    return await look();
  } catch (error) {
    if (errnoOf(error) !== "EACCES") throw error;
    // Without the dot, which cannot be reached in a directory that is closed.
    await chmod(directory.replace(/\/\.$/, ""), 0o700);
    return look();
  }
}

/**
 * A hole in a file takes no place, and of a file with several names each counts its part; a network file system may count no blocks for
 * what it has just received.
 */
function sizeOf(stat: Stats): number {
  const allocated = stat.blocks * blockBytes;
  if (!stat.isFile()) return allocated;
  return (allocated === 0 ? Math.min(stat.size, blockBytes) : allocated) / Math.max(stat.nlink, 1);
}
