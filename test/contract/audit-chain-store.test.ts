import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeChainStore } from "#aws/audit-chain-store.ts";
import { chainBatch } from "#aws/audit-chainer.ts";
import { chainInbox } from "#aws/audit-inbox.ts";
import type { ChainStore } from "#core/audit-chain/chain-store.ts";
import { chain, emptyHead } from "#core/audit-chain/link.ts";
import { makeChainVerifier } from "#core/audit-chain/verify.ts";
import type { ChainedEvent } from "#core/ports.ts";
import { noopLogger as logger } from "#telemetry/logger.ts";
import { anAuditEvent, startOfTime } from "#test/support/fixtures.ts";
import { collect, openMotoDatabase, openTestDatabase, type TestDatabase } from "./world.ts";

const event = (index: number, projectId = "p1") =>
  anAuditEvent({
    id: `event${String(index).padStart(15, "0")}`,
    at: startOfTime + index,
    projectId,
    details: { index },
  });
const events = (from: number, count: number) => Array.from({ length: count }, (_, index) => event(from + index));
const seqs = (segments: readonly (readonly ChainedEvent[])[]) =>
  segments.map((records) => records.map(({ seq }) => seq));

/** Knows nothing the first time it is asked. */
function onceStale(store: Pick<ChainStore, "head">): ChainStore["head"] {
  let asked = false;
  return async (projectId) => {
    const stale = !asked;
    asked = true;
    return stale ? emptyHead : store.head(projectId);
  };
}

describe.each([
  ["dynalite", openTestDatabase, false],
  ["moto", openMotoDatabase, true],
] as const)("%s: audit chains", (_name, open, transactions) => {
  const opened: { database?: TestDatabase } = {};
  beforeAll(async () => {
    opened.database = await open();
  }, 240_000);
  afterAll(() => opened.database?.close());

  async function makeWorld() {
    const world = await opened.database?.makeWorld();
    if (world === undefined) throw new Error("no database");
    const { client, table, clock } = world;
    const deps = { client, table, clock, logger, transactions };
    const store = makeChainStore(deps);
    const add = async (from: number, count: number) =>
      store.extend("p1", chain(await store.head("p1"), events(from, count)));
    return { ...world, deps, store, add };
  }

  it("continue where they stand, and are read in both orders, from anywhere", async () => {
    const { store, add } = await makeWorld();
    expect(await store.head("p1")).toEqual(emptyHead);
    for (const from of [0, 3, 6]) expect(await add(from, 3)).toBe("written");
    const walk = (order: "newest" | "oldest", from: number | null) => collect(store.segments("p1", { order, from }));
    expect(seqs(await walk("oldest", null))).toEqual([
      [1, 2, 3],
      [4, 5, 6],
      [7, 8, 9],
    ]);
    expect(seqs(await walk("oldest", 5))).toEqual([
      [4, 5, 6],
      [7, 8, 9],
    ]);
    expect(seqs(await walk("newest", null))).toEqual([
      [7, 8, 9],
      [4, 5, 6],
      [1, 2, 3],
    ]);
    expect(seqs(await walk("newest", 5))).toEqual([
      [4, 5, 6],
      [1, 2, 3],
    ]);
    const verifier = makeChainVerifier();
    for (const record of (await walk("oldest", null)).flat()) verifier.next(record);
    expect(verifier.end()).toMatchObject({ ok: true, count: 9 });
    expect(await store.head("p1")).toMatchObject({ seq: 9 });
    expect(await store.projects()).toEqual(["p1"]);
  });

  it("are extended by one of two who know the same end", async () => {
    const { store, add } = await makeWorld();
    await add(0, 2);
    const head = await store.head("p1");
    expect(await store.extend("p1", chain(head, events(10, 2)))).toBe("written");
    expect(await store.extend("p1", chain(head, events(20, 2)))).toBe("lost");
    expect(
      (await collect(store.segments("p1", { order: "oldest", from: null }))).flat().map((one) => one.event.id),
    ).toEqual([...events(0, 2), ...events(10, 2)].map(({ id }) => id));
  });

  it("keep checkpoints in order", async () => {
    const { store } = await makeWorld();
    const checkpoint = (seq: number) => ({ projectId: "p1", seq, hash: "h", at: seq, keyId: "k", signature: "s" });
    for (const seq of [20, 3, 100]) await store.addCheckpoint(checkpoint(seq));
    expect(await store.checkpoints("p1")).toEqual([3, 20, 100].map(checkpoint));
    expect(await store.checkpoints("p2")).toEqual([]);
  });

  if (!transactions) return;

  it("take each event of the inbox once, oldest first, also when it comes twice and another was faster", async () => {
    const { store, stores, deps, clock } = await makeWorld();
    await Promise.all(events(0, 200).map((one) => stores.audit.append(one)));
    await clock.advance(60_000);
    const hurried = { ...deps, store, clock: { ...clock, sleep: async () => {} } };
    // Another one has chained the first ninety while this one still knows the old end, and delivers them again.
    const late = { ...hurried, store: { head: onceStale(store) } };
    expect(await chainInbox(hurried, "p1", 0)).toBe(90);
    expect(await chainBatch(late, events(0, 150))).toBe(60);
    expect(await chainInbox(hurried, "p1", Number.POSITIVE_INFINITY)).toBe(50);
    const records = (await collect(store.segments("p1", { order: "oldest", from: null }))).flat();
    expect(new Set(records.map((one) => one.event.id)).size).toBe(200);
    const verifier = makeChainVerifier();
    for (const record of records) verifier.next(record);
    expect(verifier.end()).toMatchObject({ ok: true, count: 200 });
    expect(await chainInbox({ ...deps, store }, "p1", Number.POSITIVE_INFINITY)).toBe(0);
  }, 60_000);
});
