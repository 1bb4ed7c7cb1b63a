import { link, readFile, rename, rm, writeFile } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";

export interface LockOptions {
  readonly signal: AbortSignal;
  /** Called once when somebody else holds the lock. */
  readonly onWait: () => void;
}

/** A process for sure: pids are used again, in containers the same ones at each start. undefined: it is gone. */
async function processMark(pid: number | string): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined);
  const startedAt = stat
    ?.slice(stat.lastIndexOf(")") + 2)
    .split(" ")
    .at(19);
  return startedAt === undefined ? undefined : `${pid} ${startedAt}`;
}

let attempts = 0;

/** Linked, not created: a lock never exists without its holder's mark. */
async function take(path: string): Promise<boolean> {
  attempts += 1;
  const draft = `${path}.${process.pid}.${attempts}`;
  await writeFile(draft, (await processMark(process.pid)) ?? "");
  try {
    await link(draft, path);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw error;
  } finally {
    await rm(draft, { force: true });
  }
}

/** A lock whose holder died is moved away first: of two that notice, one moves it. */
async function breakStale(path: string): Promise<void> {
  const mark = await readFile(path, "utf8").catch(() => undefined);
  if (mark === undefined || mark === (await processMark(mark.split(" ")[0] ?? ""))) return;
  const away = `${path}.stale.${process.pid}`;
  const moved = await rename(path, away).then(
    () => true,
    () => false,
  );
  if (moved) await rm(away, { force: true });
}

/** Runs `work` while no other process, and no other caller in this one, does. */
export async function underLock<T>(path: string, options: LockOptions, work: () => Promise<T>): Promise<T> {
  let told = false;
  while (!(await take(path))) {
    await breakStale(path);
    if (await take(path)) break;
    if (!told) options.onWait();
    told = true;
    await pause(300, undefined, { signal: options.signal });
  }
  try {
    return await work();
  } finally {
    await rm(path, { force: true });
  }
}
