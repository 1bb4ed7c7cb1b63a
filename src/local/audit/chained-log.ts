import { BulkheadError } from "#contracts/errors.ts";
import { fitting } from "#core/audit-chain/bounds.ts";
import { type ChainStore, maxSegment } from "#core/audit-chain/chain-store.ts";
import { type ChainHead, chain } from "#core/audit-chain/link.ts";
import type { AuditEvent } from "#core/model.ts";
import type { AuditLog, Clock } from "#core/ports.ts";
import type { Logger } from "#telemetry/logger.ts";
import type { AuditJournal } from "./journal.ts";

export interface ChainedLogDeps {
  readonly journal: AuditJournal;
  readonly store: ChainStore;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Told of a project whose chain has become longer. */
  readonly onExtended?: (projectId: string, head: ChainHead) => void;
}

/** The audit log of one process that writes alone. */
export interface ChainedLog extends Pick<AuditLog, "append"> {
  /** Resolves when what was appended so far stands in the chain, or cannot for now. */
  settle(): Promise<void>;
  /** Chains what an earlier run left. */
  recover(left: readonly AuditEvent[]): Promise<number>;
  close(): Promise<void>;
}

/** How long events gather before they are chained. */
const gatherMs = 100;
const retryMs = 1000;
/** More than this is not taken while the store is down. */
const maxPending = 200_000;
/** Records of a chain's end that are looked at for events that a crash left in both. */
const maxLooked = 20_000;

interface Waiting {
  readonly event: AuditEvent;
  readonly done: () => void;
  readonly failed: (error: unknown) => void;
}

/** An event is durable in the journal first; its place in the chain follows. Callers of one turn share one write. */
export function makeChainedLog({ journal, store, clock, logger, onExtended }: ChainedLogDeps): ChainedLog {
  const heads = new Map<string, ChainHead>();
  let pending: AuditEvent[] = [];
  let waiting: Waiting[] = [];
  let running: Promise<void> | null = null;
  let timer: { cancel(): void } | null = null;
  let closed = false;

  function write(): void {
    const group = waiting;
    waiting = [];
    try {
      journal.write(group.map(({ event }) => event));
    } catch (error) {
      for (const { failed } of group) failed(error);
      return;
    }
    for (const { event, done } of group) {
      pending.push(event);
      done();
    }
    if (pending.length >= maxSegment) void drain();
    else arm(gatherMs);
  }

  function arm(ms: number): void {
    if (timer !== null || closed) return;
    timer = clock.after(ms, () => {
      timer = null;
      void drain();
    });
  }

  function drain(): Promise<void> {
    running ??= work().finally(() => (running = null));
    return running;
  }

  async function work(): Promise<void> {
    /** A project that cannot be chained now does not hold up the others. */
    const stuck = new Set<string>();
    for (;;) {
      const next = pending.find((event) => !stuck.has(event.projectId));
      if (next === undefined) break;
      const { projectId } = next;
      const part = fitting(
        pending.filter((event) => event.projectId === projectId),
        maxSegment,
      );
      try {
        await extend(projectId, part);
      } catch (error) {
        heads.delete(projectId);
        stuck.add(projectId);
        logger.error("audit events not chained yet", { projectId, pending: pending.length, error });
        continue;
      }
      const taken = new Set(part);
      pending = pending.filter((event) => !taken.has(event));
    }
    if (pending.length > 0) arm(retryMs);
    else if (waiting.length === 0) journal.settled();
  }

  async function extend(projectId: string, events: readonly AuditEvent[]): Promise<void> {
    const head = heads.get(projectId) ?? (await store.head(projectId));
    const records = chain(head, events);
    if ((await store.extend(projectId, records)) === "lost")
      throw new Error("the chain has another end than was known");
    const last = records.at(-1) ?? head;
    heads.set(projectId, last);
    onExtended?.(projectId, last);
  }

  return {
    append: (event) =>
      new Promise((done, failed) => {
        if (closed || pending.length >= maxPending) {
          failed(
            new BulkheadError(
              "SERVICE_UNAVAILABLE",
              "The audit log cannot be written. Repeat the request in a moment.",
            ),
          );
          return;
        }
        if (waiting.length === 0) setImmediate(write);
        waiting.push({ event, done, failed });
      }),
    async settle() {
      // Those of this turn are written on the next.
      if (waiting.length > 0) await new Promise<void>((resolve) => setImmediate(resolve));
      if (running !== null) await running;
      if (pending.length > 0) await drain();
    },
    async recover(left) {
      const known = new Map<string, ReadonlySet<string>>();
      for (const { projectId } of left) {
        if (!known.has(projectId)) known.set(projectId, await lastIds(store, projectId));
      }
      const missing = left.filter(({ projectId, id }) => known.get(projectId)?.has(id) !== true);
      pending = [...pending, ...missing];
      await drain();
      return missing.length;
    },
    async close() {
      while (waiting.length > 0) await new Promise<void>((resolve) => setImmediate(resolve));
      timer?.cancel();
      closed = true;
      if (running !== null) await running;
      if (pending.length > 0) await drain();
      journal.close();
    },
  };
}

async function lastIds(store: ChainStore, projectId: string): Promise<ReadonlySet<string>> {
  const ids = new Set<string>();
  for await (const records of store.segments(projectId, { order: "newest", from: null })) {
    for (const { event } of records) ids.add(event.id);
    if (ids.size >= maxLooked) break;
  }
  return ids;
}
