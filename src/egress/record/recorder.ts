import type { EgressRow } from "#core/model.ts";
import { interrupted } from "#core/network/egress-row.ts";
import type { Clock, EgressStore, Timer } from "#core/ports.ts";
import type { EgressRecorder } from "#egress/ports.ts";
import type { Logger } from "#telemetry/logger.ts";
import type { Journal } from "./journal.ts";
import { makeOpenRows } from "./open-rows.ts";
import { type Batch, makeShipper } from "./shipper.ts";

export interface RecorderOptions {
  readonly journal: Journal;
  readonly store: Pick<EgressStore, "append">;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Time between two batches. @default 200 */
  readonly shipEveryMs?: number;
  /** A connection that ends within it is written once. @default 1_000 */
  readonly openAfterMs?: number;
  /** How often the store is told again what is open. Readers take a connection for interrupted after two minutes. @default 60_000 */
  readonly renewEveryMs?: number;
  /** Rows of a batch. @default 500 */
  readonly batchRows?: number;
  /** Ended rows that wait for a slow store; beyond it the newest are in the journal only. @default 50_000 */
  readonly maxWaiting?: number;
}

export interface Recorder extends EgressRecorder {
  /** Resolves when the store has every row that was recorded as ended so far, or after `withinMs`. @returns whether it has */
  flush(withinMs?: number): Promise<boolean>;
  /** Takes no more rows. What is still open becomes `interrupted`; then as `flush`. */
  close(withinMs?: number): Promise<void>;
}

const patienceMs = 5_000;

/** Rows go to the journal at once and to the store in batches. */
export function makeRecorder(options: RecorderOptions): Recorder {
  const { journal, clock, logger, shipEveryMs = 200, batchRows = 500, maxWaiting = 50_000 } = options;
  const open = makeOpenRows({
    openAfterMs: options.openAfterMs ?? 1_000,
    renewEveryMs: options.renewEveryMs ?? 60_000,
  });
  const waiting: { readonly row: EgressRow; readonly number: number }[] = [];
  let dropped = 0;
  let closed = false;
  let timer: Timer | null = null;

  const take = (): Batch => {
    const ended = waiting.splice(0, batchRows);
    // What is open may wait; what has ended may not be lost.
    const rows = ended.length === batchRows ? [] : open.due(clock.now(), batchRows);
    return { rows: [...ended.map(({ row }) => row), ...rows], through: ended.at(-1)?.number ?? null };
  };
  const shipper = makeShipper({ ...options, take });

  const schedule = () => {
    if (closed || timer !== null || (waiting.length === 0 && open.size() === 0)) return;
    timer = clock.after(shipEveryMs, () => {
      timer = null;
      void shipper.run().then(schedule);
    });
  };

  const keep = (row: EgressRow, number: number) => {
    if (waiting.length >= maxWaiting) {
      dropped += 1;
      shipper.skip();
      if (dropped % 1000 === 1) logger.error("Egress rows are in the journal only: the store is too slow", { dropped });
      return;
    }
    waiting.push({ row, number });
    if (waiting.length === batchRows) void shipper.run();
  };

  const enter = (row: EgressRow) => {
    const number = journal.write(row);
    if (row.projectId === null) return;
    if (row.state === "open") open.add(row, clock.now());
    else {
      open.remove(row.id);
      keep(row, number);
    }
    schedule();
  };

  const flush = (withinMs = patienceMs) => shipper.flush(withinMs, () => waiting.length === 0);

  return {
    record(row) {
      if (closed) logger.warn("Egress row after the end of the record", { instance: row.instanceId, host: row.host });
      else enter(row);
    },
    flush,
    async close(withinMs) {
      if (closed) return;
      for (const row of open.all()) enter(interrupted(row));
      closed = true;
      timer?.cancel();
      const shipped = await flush(withinMs);
      shipper.stop();
      if (!shipped)
        logger.error("Egress rows are in the journal only: the store did not take them", { rows: waiting.length });
      journal.close(shipped);
    },
  };
}
