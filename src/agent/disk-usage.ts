import { chmod, lstat, opendir } from "node:fs/promises";
import { errnoOf } from "./files/errors.ts";

const blockBytes = 512;
/** Questions to the file system at one time. */
const atOnce = 32;
/** A tree with more entries than this is over whatever limit there is; counting on would only cost. */
const mostEntries = 500_000;

/**
 * Bytes that a tree occupies, Infinity for one with too many entries to count. What vanishes meanwhile occupies nothing; links are not
 * followed. Holds no more than a handful of names at a time: the tree is made by code that nobody knows.
 */
export async function measure(root: string): Promise<number> {
  const waiting = [root];
  let bytes = 0;
  let entries = 0;
  for (let directory = waiting.pop(); directory !== undefined; directory = waiting.pop()) {
    for await (const batch of batches(directory)) {
      entries += batch.length;
      if (entries > mostEntries) return Number.POSITIVE_INFINITY;
      const found = await Promise.all(batch.map((path) => lstat(path).catch(() => undefined)));
      for (const [index, stat] of found.entries()) {
        if (stat === undefined) continue;
        bytes += sizeOf(stat);
        if (stat.isDirectory()) waiting.push(batch[index] ?? "");
      }
    }
  }
  return bytes;
}

async function* batches(directory: string): AsyncGenerator<string[]> {
  let batch: string[] = [];
  try {
    for await (const entry of await open(directory)) {
      batch.push(`${directory}/${entry.name}`);
      if (batch.length < atOnce) continue;
      yield batch;
      batch = [];
    }
  } catch (error) {
    // Removed while it was read, or nobody's to read.
    if (errnoOf(error) === undefined) throw error;
  }
  yield batch;
}

/** On a file system whose server decides by owner the agent has no more rights than its user: who closes a directory hides nothing in it. */
async function open(directory: string) {
  const options = { bufferSize: atOnce };
  try {
    return await opendir(directory, options);
  } catch (error) {
    if (errnoOf(error) !== "EACCES") throw error;
    await chmod(directory, 0o700);
    return opendir(directory, options);
  }
}

/**
 * A hole in a file takes no place, and of a file with several names each counts its part; a network file system may count no blocks for
 * what it has just received.
 */
function sizeOf(stat: { blocks: number; size: number; nlink: number; isFile(): boolean }): number {
  const allocated = stat.blocks * blockBytes;
  if (!stat.isFile()) return allocated;
  return (allocated === 0 ? Math.min(stat.size, blockBytes) : allocated) / Math.max(stat.nlink, 1);
}
