import { randomBytes } from "node:crypto";
import { BulkheadError, toBulkheadError } from "#contracts/errors.ts";
import { type Hide, hideInError, hideNothing } from "#contracts/hide-in.ts";
import type { Logger } from "#telemetry/logger.ts";
import type { AgentClock } from "../clock.ts";
import type { RichResult, RunRequest } from "../exec/run.ts";
import { type BackgroundEntry, findBy, isBusy, type Labels, listenerOf, newEntry } from "./entry.ts";
import { overdue } from "./retention.ts";

/** At once, counting those that have ended and are not yet reported; a sandbox's own process limit may be reached earlier. */
const maxBusy = 200;
/** The runner's own copy of the output is not read: the entry has one. */
const unread = 1024;

/** What a run gets from the registry beside what it was asked. */
export type Follow = Required<Pick<RunRequest, "signal" | "onOutput" | "onStart" | "outputLimit">>;
export type Work = (follow: Follow) => Promise<RichResult>;

export interface Started {
  readonly entry: BackgroundEntry;
  /** Rejects when a later step of the run could not be started. */
  readonly ended: Promise<RichResult>;
}

export interface Registry {
  /**
   * Starts `work`; resolves when it has a process, or has ended without one.
   * @throws BulkheadError RESOURCE_LIMIT_ERROR when too many are running; what `work` throws when it cannot be started, and then
   * nothing of it is kept
   */
  start(labels: Labels, work: Work): Promise<Started>;
  /** Newest last. */
  list(): readonly BackgroundEntry[];
  /** By process id, execution id or pid: of what still runs if there is such, else of the last that had it. */
  find(id: string): BackgroundEntry | undefined;
  /** Ends it with all it has started. Resolves when it has ended; safe to repeat. */
  kill(entry: BackgroundEntry): Promise<void>;
  running(): number;
}

export interface RegistryOptions {
  readonly clock: AgentClock;
  readonly logger: Logger;
  /** Takes values of secrets out of why a run could not be started. @default - none are known */
  readonly hide?: Hide | undefined;
}

function limitReached(current: number): BulkheadError {
  return new BulkheadError(
    "RESOURCE_LIMIT_ERROR",
    `The limit of ${maxBusy} background processes is reached. Kill some, or wait for their end.`,
    { details: { limit: maxBusy, current } },
  );
}

export function makeRegistry({ clock, logger, hide = hideNothing }: RegistryOptions): Registry {
  const entries = new Map<string, BackgroundEntry>();
  const ends = new Map<string, Promise<unknown>>();

  function forget({ id }: BackgroundEntry): void {
    entries.delete(id);
    ends.delete(id);
  }

  function finish(entry: BackgroundEntry, exitCode: number): void {
    entry.endedAt = clock.now();
    entry.exitCode = exitCode;
    if (entry.stop.signal.aborted) entry.status = "killed";
    else entry.status = exitCode === 0 ? "completed" : "failed";
    for (const each of overdue(entries.values())) forget(each);
  }

  async function run(entry: BackgroundEntry, work: Work, onStart: () => void): Promise<RichResult> {
    try {
      const result = await work({
        signal: entry.stop.signal,
        onOutput: listenerOf(entry),
        onStart(pid) {
          entry.pid = pid;
          onStart();
        },
        outputLimit: unread,
      });
      finish(entry, result.exitCode);
      return result;
    } catch (thrown) {
      const error = hideInError(toBulkheadError(thrown), hide);
      if (error.code === "INTERNAL_ERROR") logger.error("background run failed", { process: entry.id, error: thrown });
      entry.stderr.push(Buffer.from(`${error.message}\n`));
      finish(entry, 1);
      throw error;
    }
  }

  return {
    async start(labels, work) {
      const busy = [...entries.values()].filter(isBusy).length;
      if (busy >= maxBusy) throw limitReached(busy);
      const suffix = randomBytes(8).toString("hex");
      const entry = newEntry(`proc_${suffix}`, `exec_${suffix}`, labels, clock);
      entries.set(entry.id, entry);
      let onStart = (): void => {};
      const started = new Promise<void>((resolve) => (onStart = resolve));
      const ended = run(entry, work, onStart);
      ends.set(
        entry.id,
        ended.catch(() => undefined),
      );
      try {
        await Promise.race([started, ended]);
      } catch (thrown) {
        forget(entry);
        throw thrown;
      }
      return { entry, ended };
    },
    list: () => [...entries.values()],
    find: (id) => entries.get(id) ?? findBy(entries.values(), id),
    async kill(entry) {
      if (entry.status === "running") entry.stop.abort();
      await ends.get(entry.id);
    },
    running: () => [...entries.values()].filter(({ status }) => status === "running").length,
  };
}
