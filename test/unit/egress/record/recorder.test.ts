import { beforeEach, describe, expect, it } from "vitest";
import { BulkheadError } from "#contracts/errors.ts";
import type { EgressRow } from "#core/model.ts";
import type { Journal } from "#egress/record/journal.ts";
import { makeRecorder, type RecorderOptions } from "#egress/record/recorder.ts";
import { noopLogger } from "#telemetry/logger.ts";
import { anEgressRow } from "#test/support/fixtures.ts";
import { makeVirtualClock, type VirtualClock } from "#test/support/virtual-clock.ts";

let clock: VirtualClock;
let batches: (readonly EgressRow[])[];
let journal: string[];
let failures: Error[];

beforeEach(() => {
  clock = makeVirtualClock();
  batches = [];
  journal = [];
  failures = [];
});

function recorderWith(options: Partial<RecorderOptions> = {}) {
  let number = 0;
  const kept: Journal = {
    write: (row) => {
      journal.push(`${row.id} ${row.state}`);
      return ++number;
    },
    shipped: (through) => void journal.push(`shipped ${through}`),
    close: (settled) => void journal.push(settled ? "settled" : "closed"),
  };
  const store = {
    append: async (rows: readonly EgressRow[]) => {
      const failure = failures.shift();
      if (failure !== undefined) throw failure;
      batches.push(rows);
    },
  };
  return makeRecorder({ journal: kept, store, clock, logger: noopLogger, ...options });
}

const open = (id: string) => anEgressRow({ id, state: "open", endedAt: null });
const ended = (id: string) => anEgressRow({ id });
const shown = () => batches.map((rows) => rows.map(({ id, state }) => `${id} ${state}`));
const unavailable = () => new BulkheadError("SERVICE_UNAVAILABLE", "later");

describe("recorder", () => {
  it("writes the journal at once and the store in batches", async () => {
    const recorder = recorderWith();
    recorder.record(ended("a"));
    recorder.record(ended("b"));
    expect(journal).toEqual(["a closed", "b closed"]);
    expect(batches).toEqual([]);
    await clock.advance(200);
    expect(shown()).toEqual([["a closed", "b closed"]]);
    expect(journal.at(-1)).toBe("shipped 2");
    await clock.advance(5_000);
    expect(batches).toHaveLength(1);
  });

  it("tells the store of a connection that stays open, and again each minute, and then of its end", async () => {
    const recorder = recorderWith();
    recorder.record(open("a"));
    recorder.record(open("short"));
    await clock.advance(300);
    recorder.record(ended("short"));
    await clock.advance(1_000);
    recorder.record({ ...open("a"), method: "GET" });
    expect(shown()).toEqual([["short closed"], ["a open"]]);
    await clock.advance(60_200);
    expect(shown().slice(2)).toEqual([["a open"]]);
    expect(batches.at(-1)?.[0]?.method).toBe("GET");
    recorder.record(ended("a"));
    await clock.advance(120_000);
    expect(shown().slice(3)).toEqual([["a closed"]]);
  });

  it("ships a full batch without waiting, and no rows of nobody", async () => {
    const recorder = recorderWith({ batchRows: 3 });
    for (const id of ["a", "b", "c", "d"]) recorder.record(ended(id));
    recorder.record({ ...ended("nobody"), projectId: null });
    await clock.settle();
    expect(shown()[0]).toHaveLength(3);
    await clock.advance(200);
    expect(shown().flat()).toEqual(["a closed", "b closed", "c closed", "d closed"]);
    expect(journal).toContain("nobody closed");
  });

  it("repeats a batch until the store has it, in order", async () => {
    failures = [unavailable(), unavailable(), unavailable(), unavailable(), unavailable(), unavailable()];
    const recorder = recorderWith();
    recorder.record(ended("a"));
    await clock.advance(300);
    recorder.record(ended("b"));
    await clock.advance(60_000);
    expect(shown()).toEqual([["a closed"], ["b closed"]]);
    expect(journal.filter((line) => line.startsWith("shipped"))).toEqual(["shipped 1", "shipped 2"]);
  });

  it("gives up a batch that the store refuses for itself, and claims no more that all is there", async () => {
    failures = Array.from({ length: 4 }, () => new BulkheadError("INTERNAL_ERROR", "no"));
    const recorder = recorderWith();
    recorder.record(ended("a"));
    await clock.advance(5_000);
    recorder.record(ended("b"));
    await clock.advance(5_000);
    expect(shown()).toEqual([["b closed"]]);
    await recorder.close();
    expect(journal).toEqual(["a closed", "b closed", "closed"]);
  });

  it("keeps no more rows than it may while the store is away", async () => {
    failures = [unavailable()];
    const recorder = recorderWith({ maxWaiting: 3, batchRows: 2 });
    for (const id of ["a", "b", "c", "d", "e", "f", "g"]) recorder.record(ended(id));
    expect(journal).toHaveLength(7);
    await clock.advance(5_000);
    expect(shown().flat()).toEqual(["a closed", "b closed", "c closed", "d closed", "e closed"]);
    expect(await recorder.flush()).toBe(false);
  });

  it("ships everything when it is closed; what is still open was interrupted", async () => {
    const recorder = recorderWith();
    recorder.record(open("a"));
    recorder.record(ended("b"));
    await recorder.close();
    expect(shown()).toEqual([["b closed", "a interrupted"]]);
    expect(journal.slice(2)).toEqual(["a interrupted", "shipped 3", "settled"]);
    recorder.record(ended("late"));
    expect(journal).toHaveLength(5);
  });

  it("does not wait for ever for a store when it is closed", async () => {
    failures = Array.from({ length: 100 }, unavailable);
    const recorder = recorderWith();
    recorder.record(ended("a"));
    const closing = recorder.close();
    await clock.advance(6_000);
    await closing;
    expect(journal).toEqual(["a closed", "closed"]);
  });
});
