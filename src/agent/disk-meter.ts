import { lstat, readdir } from "node:fs/promises";
import { BulkheadError } from "#contracts/errors.ts";
import type { AgentClock } from "./clock.ts";

const blockBytes = 512;
const bytesPerMb = 1024 * 1024;
const everyMs = 10_000;
/** Beyond this share of the limit the instance ends: whoever writes past the agent is not stopped by refusals. */
const hardShare = 1.5;
/** A tree with more entries than this is over whatever limit there is; counting on would only cost. */
const mostEntries = 500_000;

/** Holds a limit on a file system that has none of its own (EFS): measures, refuses, and in the end ends the instance. */
export interface DiskMeter {
  /** @throws BulkheadError RESOURCE_LIMIT_ERROR while more is used than allowed */
  requireRoom(): void;
  readonly totalBytes: number;
  usedBytes(): number;
}

export interface DiskMeterOptions {
  readonly root: string;
  readonly limitMb: number;
  readonly clock: AgentClock;
  /** Ends the instance. */
  readonly onOverrun: () => void;
}

/** Measures every ten seconds, one walk at a time. */
export function makeDiskMeter({ root, limitMb, clock, onOverrun }: DiskMeterOptions): DiskMeter {
  const totalBytes = limitMb * bytesPerMb;
  let used = 0;

  const round = (): void => {
    void measure(root).then((bytes) => {
      used = bytes;
      if (used > totalBytes * hardShare) onOverrun();
      else clock.after(everyMs, round);
    });
  };
  round();

  return {
    totalBytes,
    usedBytes: () => used,
    requireRoom() {
      if (used <= totalBytes) return;
      throw new BulkheadError(
        "RESOURCE_LIMIT_ERROR",
        `The workspace holds ${Math.ceil(used / bytesPerMb)} MB, more than its limit of ${limitMb} MB. Remove files first.`,
        { details: { limit_mb: limitMb, used_mb: Math.ceil(used / bytesPerMb) } },
      );
    },
  };
}

/** Bytes that a tree occupies. What vanishes meanwhile occupies nothing; links are not followed. */
export async function measure(root: string): Promise<number> {
  const waiting = [root];
  let bytes = 0;
  let entries = 0;
  for (let directory = waiting.pop(); directory !== undefined; directory = waiting.pop()) {
    const inside = directory;
    const names = await readdir(inside, { withFileTypes: true }).catch(() => []);
    entries += names.length;
    if (entries > mostEntries) return Number.POSITIVE_INFINITY;
    for (const entry of names) if (entry.isDirectory()) waiting.push(`${inside}/${entry.name}`);
    const sizes = await Promise.all(names.map((entry) => lstat(`${inside}/${entry.name}`).then(sizeOf, () => 0)));
    bytes += sizes.reduce((sum, size) => sum + size, 0);
  }
  return bytes;
}

/** A hole in a file takes no place; a network file system may count no blocks for what it has just received. */
function sizeOf(stat: { readonly blocks: number; readonly size: number; isFile(): boolean }): number {
  const allocated = stat.blocks * blockBytes;
  return stat.isFile() && allocated === 0 ? Math.min(stat.size, blockBytes) : allocated;
}
