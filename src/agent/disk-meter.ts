import { BulkheadError } from "#contracts/errors.ts";
import type { Logger } from "#telemetry/logger.ts";
import type { AgentClock } from "./clock.ts";
import { measure } from "./disk-usage.ts";

const bytesPerMb = 1024 * 1024;
/** Between two measurements at least, and at most. */
const soonestMs = 10_000;
const latestMs = 120_000;
/** Of a large tree the measuring itself must not become the load: it takes at most one tenth of the time. */
const restShare = 9;
/** A caller who is about to be refused waits no longer than this for a measurement that might let him in. */
const patienceMs = 30_000;
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
  readonly logger: Logger;
  /** Bytes that are used below `root`. @default - what its files occupy */
  readonly use?: (root: string) => Promise<number>;
  /** Ends the instance. */
  readonly onOverrun: () => void;
}

/** Measures again and again, one walk at a time. */
export function makeDiskMeter(options: DiskMeterOptions): DiskMeter {
  const { root, limitMb, clock, logger, use = measure, onOverrun } = options;
  const totalBytes = limitMb * bytesPerMb;
  let used = 0;
  /** Of writes under way. */
  let reserved = 0;
  /** Of writes that ended since the last measurement began. */
  let unseen = 0;
  let walk: Promise<void> | undefined;

  /** What was known stays when it fails: a limit is not lifted by a file system in trouble. */
  async function walkOnce(): Promise<void> {
    const before = unseen;
    try {
      used = await use(root);
      unseen -= before;
    } catch (error) {
      logger.warn("the disk's use could not be measured", { error });
    }
    if (used > totalBytes * hardShare) onOverrun();
  }

  function remeasure(): Promise<void> {
    walk ??= walkOnce().finally(() => {
      walk = undefined;
    });
    return walk;
  }

  async function measuredAnew(): Promise<void> {
    // One that is under way may have passed by what was removed since.
    await walk;
    await remeasure();
  }

  const patience = () => new Promise<void>((resolve) => void clock.after(patienceMs, resolve));

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
      await Promise.race([measuredAnew(), patience()]);
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
