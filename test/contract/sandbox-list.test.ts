import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type SandboxList, sandboxListSchema } from "#contracts/control/sandboxes.ts";
import { makePlatform } from "#core/platform.ts";
import type { SandboxStore } from "#core/ports.ts";
import { makeControlApp } from "#http/app.ts";
import { noopLogger } from "#telemetry/logger.ts";
import { makeFakes } from "#test/support/fakes.ts";
import { anEndedSandbox, aPrincipal, aSandbox, startOfTime } from "#test/support/fixtures.ts";
import { makeMemoryWorld, openTestDatabase, type TestDatabase } from "./world.ts";

const count = 2500;
const width = 50;

const idOf = (index: number) => `1800000000a${String(index).padStart(9, "0")}`;
const isStopped = (index: number) => index % 100 === 3;
const isPaused = (index: number) => index % 10 === 7;

function numbered(index: number) {
  const status = isStopped(index) ? "stopped" : isPaused(index) ? "paused" : "running";
  const region = index % 3 === 0 ? "a" : "b";
  const change = { id: idOf(index), createdAt: startOfTime + index };
  return index % 25 === 24 ? anEndedSandbox(change) : aSandbox({ ...change, status, region });
}

const all = Array.from({ length: count }, (_, index) => index).reverse();
const living = all.filter((index) => index % 25 !== 24);

async function fill(store: SandboxStore): Promise<void> {
  for (let start = 0; start < count; start += width) {
    await Promise.all(Array.from({ length: width }, (_, offset) => store.insert(numbered(start + offset))));
  }
}

/** The control plane over a store, as a caller sees it. */
function lists(sandboxes: SandboxStore) {
  const { ports } = makeFakes({ seed: 1 });
  const config = {
    ...{ region: "local", idleTimeoutSeconds: 3600, maxLifetimeSeconds: 86_400, createWaitMs: 20_000 },
    ...{ launching: "here" as const, instanceStartMs: 60_000, createConcurrency: 1, quotaPerProject: count },
    ...{ pool: {}, refillConcurrency: 1, sweepEveryMs: 60_000, tombstoneSeconds: 86_400 },
  };
  const app = makeControlApp({
    platform: makePlatform(config, { ...ports, sandboxes }),
    logger: noopLogger,
    clock: ports.clock,
    config: { organizationId: 1, publicHost: (id) => `http://sandboxes/${id}`, principal: () => aPrincipal },
  });
  return async function* pages(query: string): AsyncGenerator<SandboxList> {
    for (let cursor: string | null = ""; cursor !== null; ) {
      const more: string = cursor === "" ? "" : `&cursor=${encodeURIComponent(cursor)}`;
      const answer = await app.request(`/v1/sandboxes?${query}${more}`);
      expect(answer.status).toBe(200);
      const page = sandboxListSchema.strict().parse(await answer.json());
      // Contract rule 16.
      expect(page.has_more).toBe(page.next_cursor !== null);
      yield page;
      cursor = page.next_cursor;
    }
  };
}

function indexesOf(page: SandboxList): number[] {
  return page.data.map(({ id }) => Number(id.slice(11)));
}

const opened: { database?: TestDatabase } = {};
beforeAll(async () => {
  opened.database = await openTestDatabase();
});
afterAll(() => opened.database?.close());

describe.each([
  ["in memory", () => makeMemoryWorld()],
  ["DynamoDB (dynalite)", () => opened.database?.makeWorld() ?? makeMemoryWorld()],
])(`${count} sandboxes, %s`, (_, make) => {
  let pages: ReturnType<typeof lists>;
  let store: SandboxStore;

  beforeAll(async () => {
    store = (await make()).stores.sandboxes;
    await fill(store);
    pages = lists(store);
  }, 120_000);

  async function listed(query: string): Promise<readonly number[][]> {
    const found: number[][] = [];
    for await (const page of pages(query)) found.push(indexesOf(page));
    return found;
  }

  it("are listed newest first, each once, in full pages however many are asked for", async () => {
    const found = await listed("limit=1000");
    expect(found.flat()).toEqual(living);
    expect(found.slice(0, -1).every((page) => page.length === 100)).toBe(true);
  });

  it.each([
    ["status=stopped&limit=7", living.filter(isStopped)],
    ["status=paused&region=a", living.filter((index) => isPaused(index) && !isStopped(index) && index % 3 === 0)],
    ["status=creating", []],
    ["region=nowhere", []],
    ["status=deleted&limit=60", all.filter((index) => index % 25 === 24)],
  ])("are found by %s", async (query, expected) => {
    expect((await listed(query)).flat()).toEqual(expected);
  });

  it("keep their places while others are made and ended", async () => {
    const found: number[] = [];
    let next = count;
    for await (const page of pages("status=running&limit=100")) {
      found.push(...indexesOf(page));
      // Ones that came on this page end, and new ones come before all of them.
      const [gone = 0] = indexesOf(page);
      const record = await store.get(idOf(gone));
      if (record !== undefined) {
        await store.replace(anEndedSandbox({ ...record, status: "deleted", endedAt: startOfTime, version: 2 }));
      }
      await store.insert({ ...numbered(1), id: idOf(next), createdAt: startOfTime + next });
      next += 1;
    }
    expect(found).toEqual(living.filter((index) => !isStopped(index) && !isPaused(index)));
  });
});
