import { randomBytes } from "node:crypto";
import { BulkheadError, toBulkheadError } from "#contracts/errors.ts";
import type { Logger } from "#telemetry/logger.ts";
import type { AgentClock } from "../clock.ts";
import type { RichResult, RunRequest } from "../exec/run.ts";
import { type BackgroundEntry, type Labels, listenerOf, newEntry } from "./entry.ts";

/** At once; a sandbox's own process limit may be reached earlier. */
const maxRunning = 200;
/** Those that ended are readable until so many others have ended after them. */
const maxEnded = 200;
/** The runner's own copy of the output is not read: the entry has one. */
const unread = 1024;

/** What a run gets from the registry beside what it was asked. */
export type Follow = Required<Pick<RunRequest, "signal" | "onOutput" | "onStart" | "outputLimit">>;
export type Work = (follow: Follow) => Promise<RichResult>;

export interface Registry {
  /** Starts `work`. @throws BulkheadError RESOURCE_LIMIT_ERROR when too many are running */
  start(labels: Labels, work: Work): { readonly entry: BackgroundEntry; readonly ended: Promise<RichResult> };
  /** Newest last. */
  list(): readonly BackgroundEntry[];
  /** By process id, execution id or, of what still runs, pid. */
  find(id: string): BackgroundEntry | undefined;
  /** Ends it with all it has started. Resolves when it has ended; safe to repeat. */
  kill(entry: BackgroundEntry): Promise<void>;
  running(): number;
}

export interface RegistryOptions {
  readonly clock: AgentClock;
  readonly logger: Logger;
}

export function makeRegistry({ clock, logger }: RegistryOptions): Registry {
  const entries = new Map<string, BackgroundEntry>();
  const ends = new Map<string, Promise<unknown>>();
  let running = 0;

  function forgetOldest(): void {
    const ended = [...entries.values()].filter(({ status }) => status !== "running");
    for (const { id } of ended.slice(0, Math.max(0, ended.length - maxEnded))) {
      entries.delete(id);
      ends.delete(id);
    }
  }

  function finish(entry: BackgroundEntry, exitCode: number): void {
    running -= 1;
    entry.endedAt = clock.now();
    entry.exitCode = exitCode;
    if (entry.stop.signal.aborted) entry.status = "killed";
    else entry.status = exitCode === 0 ? "completed" : "failed";
    forgetOldest();
  }

  async function run(entry: BackgroundEntry, work: Work): Promise<RichResult> {
    try {
      const result = await work({
        signal: entry.stop.signal,
        onOutput: listenerOf(entry),
        onStart: (pid) => (entry.pid = pid),
        outputLimit: unread,
      });
      finish(entry, result.exitCode);
      return result;
    } catch (thrown) {
      const error = toBulkheadError(thrown);
      if (error.code === "INTERNAL_ERROR") logger.error("background run failed", { process: entry.id, error: thrown });
      entry.stderr.push(Buffer.from(`${error.message}\n`));
      finish(entry, 1);
      throw thrown;
    }
  }

  return {
    start(labels, work) {
      if (running >= maxRunning) {
        throw new BulkheadError(
          "RESOURCE_LIMIT_ERROR",
          `The limit of ${maxRunning} background processes is reached. Kill some, or wait for their end.`,
          { details: { limit: maxRunning, current: running } },
        );
      }
      const suffix = randomBytes(8).toString("hex");
      const entry = newEntry(`proc_${suffix}`, `exec_${suffix}`, labels, clock);
      entries.set(entry.id, entry);
      running += 1;
      const ended = run(entry, work);
      const settled = ended.catch(() => undefined);
      ends.set(entry.id, settled);
      return { entry, ended };
    },
    list: () => [...entries.values()],
    find: (id) =>
      entries.get(id) ??
      [...entries.values()].find(
        (entry) => entry.executionId === id || (entry.status === "running" && String(entry.pid) === id),
      ),
    async kill(entry) {
      if (entry.status === "running") entry.stop.abort();
      await ends.get(entry.id);
    },
    running: () => running,
  };
}
