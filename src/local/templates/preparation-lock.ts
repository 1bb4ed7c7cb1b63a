import { open, readFile, rename, rm } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";

export interface LockOptions {
  readonly signal: AbortSignal;
  /** Called once when somebody else holds the lock. */
  readonly onWait: () => void;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: alive, another user's.
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

async function take(path: string): Promise<boolean> {
  try {
    const file = await open(path, "wx", 0o644);
    await file.writeFile(String(process.pid));
    await file.close();
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw error;
  }
}

/** A lock whose holder died is moved away first: of two that notice, one moves it. */
async function breakStale(path: string): Promise<void> {
  const holder = Number(await readFile(path, "utf8").catch(() => ""));
  if (holder === 0 || isAlive(holder)) return;
  const away = `${path}.${process.pid}`;
  const moved = await rename(path, away).then(
    () => true,
    () => false,
  );
  if (moved) await rm(away, { force: true });
}

/** Runs `work` while no other process does. */
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
