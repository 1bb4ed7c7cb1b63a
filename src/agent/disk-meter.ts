import { BulkheadError } from "#contracts/errors.ts";
import type { AgentClock } from "./clock.ts";
import { measure } from "./disk-usage.ts";

const bytesPerMb = 1024 * 1024;
/** Between two measurements at least, and at most. */
const soonestMs = 10_000;
const latestMs = 120_000;
/** Of a large tree the measuring itself must not become the load: it takes at most one tenth of the time. */
const restShare = 9;
/** Beyond this share of the limit the instance ends: whoever writes past the agent is not stopped by refusals. */
const hardShare = 1.5;

/** Holds a limit on a file system that has none of its own (EFS): measures, refuses, and in the end ends the instance. */
export interface DiskMeter {
  /**
   * Runs `write`, with room for so many bytes kept free for it; they count until a measurement can have seen them. Measures again
   * before it refuses.
   * @throws BulkheadError FILE_OPERATION_FAILED where there is no room, as where a disk is full
   */
  withRoom<T>(bytes: number, write: () => Promise<T> | T): Promise<T>;
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

/** Measures again and again, one walk at a time. */
export function makeDiskMeter({ root, limitMb, clock, onOverrun }: DiskMeterOptions): DiskMeter {
  const totalBytes = limitMb * bytesPerMb;
  let used = 0;
  /** Of writes under way. */
  let reserved = 0;
  /** Of writes that ended since the last measurement began. */
  let unseen = 0;
  let walk: Promise<void> | undefined;

  async function walkOnce(): Promise<void> {
    const before = unseen;
    used = await measure(root);
    unseen -= before;
    if (used > totalBytes * hardShare) onOverrun();
  }

  function remeasure(): Promise<void> {
    walk ??= walkOnce().finally(() => {
      walk = undefined;
    });
    return walk;
  }

  const round = async (): Promise<void> => {
    const startedAt = clock.now();
    await remeasure();
    const restMs = Math.min((clock.now() - startedAt) * restShare, latestMs);
    clock.after(Math.max(restMs, soonestMs), () => void round());
  };
  void round();

  const taken = () => used + unseen + reserved;

  async function reserve(bytes: number): Promise<void> {
    if (taken() + bytes > totalBytes) {
      // One that is under way may have passed by what was removed since.
      await walk;
      await remeasure();
    }
    if (taken() + bytes > totalBytes) throw noRoom(taken(), limitMb);
    reserved += bytes;
  }

  return {
    totalBytes,
    usedBytes: () => used,
    async withRoom(bytes, write) {
      await reserve(bytes);
      try {
        return await write();
      } finally {
        reserved -= bytes;
        unseen += bytes;
      }
    },
  };
}

function noRoom(usedBytes: number, limitMb: number): BulkheadError {
  const usedMb = Math.ceil(usedBytes / bytesPerMb);
  return new BulkheadError(
    "FILE_OPERATION_FAILED",
    `disk full: ${usedMb} MB of ${limitMb} MB are used, which leaves too little room. Remove files and try again.`,
    { details: { limit_mb: limitMb, used_mb: usedMb } },
  );
}
