import type { Clock } from "#core/ports.ts";
import type { Directory, Target } from "./ports.ts";

export interface CachedDirectory {
  /** As the directory said at most `cacheMs` ago; concurrent questions share one answer. One on its way or at rest is never cached. */
  resolve(sandboxId: string): Promise<Target | undefined>;
  /** The next question goes to the directory. */
  forget(sandboxId: string): void;
}

interface Entry {
  readonly answer: Promise<Target | undefined>;
  /** Infinity while the answer is under way. */
  expiresAt: number;
}

/** What comes next in these is somebody's wish, and whoever had it expects to be served at once. */
const waits: ReadonlySet<Target["status"]> = new Set(["creating", "paused", "stopped"]);

const maxEntries = 20_000;

export function makeCachedDirectory(directory: Directory, clock: Clock, cacheMs: number): CachedDirectory {
  const entries = new Map<string, Entry>();

  const load = (sandboxId: string): Promise<Target | undefined> => {
    const answer = directory.resolve(sandboxId);
    const entry: Entry = { answer, expiresAt: Number.POSITIVE_INFINITY };
    const drop = () => {
      if (entries.get(sandboxId) === entry) entries.delete(sandboxId);
    };
    if (entries.size >= maxEntries) entries.clear();
    entries.set(sandboxId, entry);
    answer.then((target) => {
      if (target !== undefined && waits.has(target.status)) drop();
      else entry.expiresAt = clock.now() + cacheMs;
    }, drop);
    return answer;
  };

  return {
    resolve(sandboxId) {
      const entry = entries.get(sandboxId);
      return entry !== undefined && clock.now() < entry.expiresAt ? entry.answer : load(sandboxId);
    },
    forget: (sandboxId) => {
      entries.delete(sandboxId);
    },
  };
}
