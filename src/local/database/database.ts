import { once } from "node:events";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";

export interface LocalDatabase {
  /** Unix socket that speaks the DynamoDB protocol; only our own user can reach it. */
  readonly socketPath: string;
  close(): Promise<void>;
}

/** Longest path a Unix socket can have. */
const longestSocketPath = 107;

/**
 * DynamoDB on this machine: dynalite in a thread of its own, files in `directory` (0700).
 * @param workerFile bundle of dynalite-worker.ts
 */
export async function openDatabase(directory: string, workerFile: string): Promise<LocalDatabase> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const place = await socketPlace(directory);
  await rm(place.socketPath, { force: true });
  const worker = new Worker(workerFile, {
    workerData: { path: join(directory, "files"), socketPath: place.socketPath },
  });
  await once(worker, "message");
  return {
    socketPath: place.socketPath,
    async close() {
      const gone = once(worker, "exit");
      worker.postMessage("close");
      await gone;
      await place.remove();
    },
  };
}

/** Beside the files where the path is short enough, else in a private temporary directory. */
async function socketPlace(directory: string): Promise<{ socketPath: string; remove: () => Promise<void> }> {
  const beside = join(directory, "db.sock");
  if (beside.length <= longestSocketPath) return { socketPath: beside, remove: () => rm(beside, { force: true }) };
  const temporary = await mkdtemp(join(tmpdir(), "bulkhead-db-"));
  return { socketPath: join(temporary, "db.sock"), remove: () => rm(temporary, { recursive: true, force: true }) };
}
