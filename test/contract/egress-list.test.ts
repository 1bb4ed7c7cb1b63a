import { expect, it } from "vitest";
import type { EgressRow } from "#core/model.ts";
import type { Page } from "#core/ports.ts";
import { anEgressRow, startOfTime } from "#test/support/fixtures.ts";
import { openTestDatabase } from "./world.ts";

const query = {
  limit: 100,
  cursor: null,
  sandboxId: null,
  host: null,
  decision: null,
  state: null,
  since: null,
  until: null,
};

it("ends a page of the egress record that would look at too much, and goes on from there", async () => {
  const database = await openTestDatabase();
  try {
    const { egress } = (await database.makeWorld()).stores;
    // Each in a segment of its own.
    const row = (index: number) =>
      anEgressRow({
        id: `c${index}`,
        startedAt: startOfTime,
        endedAt: startOfTime + index * 20_000,
        host: index % 1_500 === 0 ? "rare" : "x",
      });
    await egress.append(Array.from({ length: 3_100 }, (_, index) => row(index)));
    const pages: Page<EgressRow>[] = [];
    let cursor: string | null = null;
    do {
      const page: Page<EgressRow> = await egress.list("p1", { ...query, host: "rare", cursor });
      pages.push(page);
      cursor = page.nextCursor;
    } while (cursor !== null);
    expect(pages.map(({ items }) => items.map(({ id }) => id))).toEqual([["c3000"], ["c1500"], ["c0"]]);
  } finally {
    await database.close();
  }
}, 60_000);
