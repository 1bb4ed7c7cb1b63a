import { describe, expect, it } from "vitest";
import type { EgressRow } from "#core/model.ts";
import type { EgressQuery, EgressStore, Page } from "#core/ports.ts";
import { anEgressRow, startOfTime } from "#test/support/fixtures.ts";
import type { MakeWorld } from "./world.ts";

const query: EgressQuery = {
  limit: 100,
  cursor: null,
  sandboxId: null,
  host: null,
  decision: null,
  state: null,
  since: null,
  until: null,
};

/** A connection that began `at` and, unless it is open, ended 5 ms later. */
function row(number: number, at = number * 100, changes: Partial<EgressRow> = {}): EgressRow {
  const startedAt = startOfTime + at;
  return anEgressRow({ id: `c${String(number).padStart(6, "0")}`, startedAt, endedAt: startedAt + 5, ...changes });
}

function open(number: number, at?: number, changes: Partial<EgressRow> = {}): EgressRow {
  return row(number, at, { state: "open", endedAt: null, bytesIn: 0, bytesOut: 0, ...changes });
}

const numbers = (rows: readonly EgressRow[]) => rows.map(({ id }) => Number(id.slice(1)));

async function everything(egress: EgressStore, asked: Partial<EgressQuery>, between?: (page: number) => Promise<void>) {
  const found: EgressRow[] = [];
  let cursor: string | null = null;
  for (let page = 1; ; page += 1) {
    const answer: Page<EgressRow> = await egress.list("p1", { ...query, ...asked, cursor });
    expect(answer.items.length).toBeLessThanOrEqual(asked.limit ?? query.limit);
    found.push(...answer.items);
    cursor = answer.nextCursor;
    if (cursor === null) return found;
    await between?.(page);
  }
}

export function egressStoreContract(name: string, make: MakeWorld): void {
  describe(`${name}: egress record`, () => {
    it("lists a project's rows, newest first, as they were recorded", async () => {
      const { egress } = (await make()).stores;
      const rows = [
        row(1, 0, { secrets: ["TOKEN"], rule: null, host: "ü" }),
        row(2),
        row(3, 500, { decision: "deny" }),
      ];
      await egress.append(rows.slice(0, 2));
      await egress.append([rows[2] ?? row(3), row(4, 0, { projectId: "p2" }), row(5, 0, { projectId: null })]);
      const page = await egress.list("p1", query);
      expect(page).toEqual({ items: rows.toReversed(), nextCursor: null });
      expect(numbers((await egress.list("p2", query)).items)).toEqual([4]);
      expect(await egress.list("p3", query)).toEqual({ items: [], nextCursor: null });
    });

    it("lists each connection once: open, then as it ended", async () => {
      const { egress } = (await make()).stores;
      await egress.append([open(1), row(2), open(3), row(3)]);
      expect((await egress.list("p1", query)).items).toEqual([row(3), row(2), open(1)]);
      await egress.append([open(1, 100, { method: "GET" })]);
      expect((await egress.list("p1", { ...query, state: "open" })).items).toEqual([open(1, 100, { method: "GET" })]);
      await egress.append([row(1, 100, { endedAt: startOfTime + 9_000 })]);
      expect(numbers((await egress.list("p1", query)).items)).toEqual([1, 3, 2]);
      expect((await egress.list("p1", { ...query, state: "open" })).items).toEqual([]);
      expect(numbers((await egress.list("p1", { ...query, state: "closed" })).items)).toEqual([1, 3, 2]);
    });

    it("does not change by a call that is repeated", async () => {
      const { egress } = (await make()).stores;
      const rows = [row(1), open(2), row(3), row(4, 400, { projectId: "p2" })];
      await egress.append(rows);
      await egress.append(rows);
      expect(numbers((await egress.list("p1", query)).items)).toEqual([3, 2, 1]);
    });

    it("filters", async () => {
      const { egress } = (await make()).stores;
      await egress.append([
        row(1, 100, { sandboxId: "other", decision: "deny" }),
        open(2, 200, { host: "example.com" }),
      ]);
      await egress.append([row(3, 300, { sandboxId: null, host: "deep.api.example.com" }), row(4, 30_000)]);
      const found = async (asked: Partial<EgressQuery>) =>
        numbers((await egress.list("p1", { ...query, ...asked })).items);
      expect(await found({ sandboxId: "other" })).toEqual([1]);
      expect(await found({ sandboxId: row(1).sandboxId })).toEqual([4, 2]);
      expect(await found({ host: "api.example.com" })).toEqual([4, 1]);
      expect(await found({ host: "*.example.com" })).toEqual([4, 3, 1]);
      expect(await found({ decision: "deny" })).toEqual([1]);
      expect(await found({ decision: "allow", state: "closed" })).toEqual([4, 3]);
      expect(await found({ since: startOfTime + 200 })).toEqual([4, 3, 2]);
      expect(await found({ since: startOfTime + 105, until: startOfTime + 305 })).toEqual([2, 1]);
      expect(await found({ until: startOfTime + 106 })).toEqual([1]);
      expect(await found({ since: startOfTime + 30_006 })).toEqual([]);
    });

    it("pages through rows of many batches without a gap", async () => {
      const { egress } = (await make()).stores;
      for (let batch = 0; batch < 12; batch += 1) {
        await egress.append(Array.from({ length: 25 }, (_, index) => row(batch * 25 + index, batch * 3000 + index)));
      }
      const expected = Array.from({ length: 300 }, (_, index) => 299 - index);
      for (const limit of [1000, 300, 25, 7]) expect(numbers(await everything(egress, { limit }))).toEqual(expected);
      expect(numbers(await everything(egress, { limit: 7, host: "none" }))).toEqual([]);
    });

    it("tells nothing twice and loses nothing while connections end and begin between pages", async () => {
      const { egress } = (await make()).stores;
      const old = Array.from({ length: 40 }, (_, index) => index);
      await egress.append(old.map((number) => (number % 2 === 0 ? open(number) : row(number))));
      let next = 100;
      const found = await everything(egress, { limit: 4 }, async (page) => {
        // One that was told, and two that were not.
        const ends = [40 - page, 20 - page, page].filter((number) => number % 2 === 0 && number >= 0);
        const at = 10_000 + page * 1000;
        await egress.append(ends.map((number) => row(number, number * 100, { endedAt: startOfTime + at })));
        await egress.append([row(++next, at), open(++next, at + 1)]);
      });
      const told = numbers(found);
      expect(new Set(told).size).toBe(told.length);
      expect(told.toSorted((a, b) => a - b)).toEqual(old);
    });

    it("takes a connection for interrupted when nobody says any more that it is open", async () => {
      const { clock, stores } = await make();
      const { egress } = stores;
      await egress.append([open(1), open(2)]);
      await clock.advance(100_000);
      await egress.append([open(2)]);
      await clock.advance(30_000);
      const states = (await egress.list("p1", query)).items.map(({ id, state }) => `${id} ${state}`);
      expect(states).toEqual(["c000002 open", "c000001 interrupted"]);
      expect(numbers((await egress.list("p1", { ...query, state: "interrupted" })).items)).toEqual([1]);
      await egress.append([{ ...open(1), state: "interrupted" }]);
      expect((await egress.list("p1", query)).items).toEqual([open(2), { ...open(1), state: "interrupted" }]);
    });

    it("forgets rows when their time is over", async () => {
      const { clock, stores } = await make();
      await stores.egress.append([open(1), row(2)]);
      await clock.advance(31 * 86_400_000);
      const late = row(3, 31 * 86_400_000);
      await stores.egress.append([late]);
      expect((await stores.egress.list("p1", query)).items).toEqual([late]);
    });

    it("keeps batches of any size", async () => {
      const { egress } = (await make()).stores;
      // Text that does not shrink, so that a batch is larger than an item may be.
      const noise = (number: number) =>
        Array.from({ length: 120 }, (_, index) =>
          Math.sin(number * 1000 + index)
            .toString(36)
            .slice(2),
        ).join("");
      const rows = Array.from({ length: 1200 }, (_, index) => row(index, index, { reason: noise(index) }));
      await egress.append(rows);
      await egress.append(Array.from({ length: 60 }, (_, index) => open(5000 + index, 5000 + index)));
      const found = await everything(egress, { limit: 1000 });
      expect(found).toHaveLength(1260);
      expect(found.slice(60)).toEqual(rows.toReversed());
    });

    it("refuses a cursor of somebody else", async () => {
      const { egress } = (await make()).stores;
      const refused = expect.objectContaining({ code: "INVALID_REQUEST" }) as unknown;
      await expect(egress.list("p1", { ...query, cursor: "abc" })).rejects.toEqual(refused);
    });
  });
}
