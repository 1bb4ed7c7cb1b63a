import type { BackgroundProcess, BackgroundProcessDetail, ProcessStatus } from "#contracts/agent/background.ts";
import { toRfc3339 } from "#contracts/time.ts";
import type { Delivery } from "../callback/delivery.ts";
import type { AgentClock } from "../clock.ts";
import { type CappedOutput, makeCappedOutput } from "../exec/output.ts";
import type { OutputListener } from "../exec/run.ts";

/** Bytes of each output stream that stay readable: the first and the last half. */
const outputLimit = 128 * 1024;

/** One run in the background, from its start to the moment it is forgotten. */
export interface BackgroundEntry {
  readonly id: string;
  readonly executionId: string;
  readonly name: string;
  readonly language: string;
  readonly command: string;
  /** Epoch milliseconds. */
  readonly startedAt: number;
  readonly stdout: CappedOutput;
  readonly stderr: CappedOutput;
  readonly stop: AbortController;
  status: ProcessStatus;
  endedAt: number | null;
  exitCode: number | null;
  pid: number | null;
  /** Of an execution that reports its end. */
  delivery: Delivery | undefined;
}

export type Labels = Pick<BackgroundEntry, "name" | "language" | "command">;

export function newEntry(id: string, executionId: string, labels: Labels, clock: AgentClock): BackgroundEntry {
  return {
    id,
    executionId,
    ...labels,
    startedAt: clock.now(),
    stdout: makeCappedOutput(outputLimit),
    stderr: makeCappedOutput(outputLimit),
    stop: new AbortController(),
    status: "running",
    endedAt: null,
    exitCode: null,
    pid: null,
    delivery: undefined,
  };
}

/** It runs, or its end is still to be reported. */
export function isBusy({ status, delivery }: BackgroundEntry): boolean {
  return status === "running" || delivery?.status === "waiting" || delivery?.status === "delivering";
}

/** Bytes of memory that its output takes. */
export function roomOf({ stdout, stderr }: BackgroundEntry): number {
  return stdout.room() + stderr.room();
}

/** By its execution's id, or by pid: what still runs before what has ended, the last before the first. */
export function findBy(entries: Iterable<BackgroundEntry>, id: string): BackgroundEntry | undefined {
  const all = [...entries];
  const samePid = all.filter(({ pid }) => pid !== null && String(pid) === id);
  return (
    all.find(({ executionId }) => executionId === id) ??
    samePid.find(({ status }) => status === "running") ??
    samePid.at(-1)
  );
}

export function listenerOf(entry: BackgroundEntry): OutputListener {
  return (stream, chunk) => {
    entry[stream].push(chunk);
    return undefined;
  };
}

export function viewOf(entry: BackgroundEntry, now: number): BackgroundProcess {
  const started = toRfc3339(entry.startedAt);
  return {
    process_id: entry.id,
    execution_id: entry.executionId,
    name: entry.name,
    status: entry.status,
    language: entry.language,
    command: entry.command,
    start_time: started,
    started_at: started,
    end_time: entry.endedAt === null ? null : toRfc3339(entry.endedAt),
    exit_code: entry.exitCode,
    duration: Math.max(0, (entry.endedAt ?? now) - entry.startedAt) / 1000,
    pid: entry.pid,
  };
}

export function detailOf(entry: BackgroundEntry, now: number): BackgroundProcessDetail {
  const { delivery } = entry;
  return {
    ...viewOf(entry, now),
    stdout: entry.stdout.text(),
    stderr: entry.stderr.text(),
    ...(delivery !== undefined && {
      callback: { status: delivery.status, attempts: delivery.attempts, last_error: delivery.lastError },
    }),
  };
}
