import { beforeAll, describe, expect, it } from "vitest";
import { makeAlertStore } from "#aws/alert-store.ts";
import type { Alert } from "#core/alerts/model.ts";
import { noopLogger } from "#telemetry/logger.ts";
import { aKey } from "#test/support/fixtures.ts";
import { type DynamoWorld, openTestDatabase, type TestDatabase } from "./world.ts";

let database: TestDatabase;
let world: DynamoWorld;

beforeAll(async () => {
  database = await openTestDatabase();
  world = await database.makeWorld();
  return () => database.close();
}, 60_000);

const idOf = (n: number) => `al_${String(n).padStart(14, "0")}0123456789abcdef`;
const all = { open: false, rule: null, limit: 50, cursor: null };

function alert(n: number, over: Partial<Alert> = {}): Alert {
  return {
    ...{ id: idOf(n), projectId: "p1", rule: "decoy.used", severity: "critical", subject: "s1", title: "t", text: "x" },
    ...{ firstAt: n, lastAt: world.clock.now(), count: 1, acknowledgedAt: null, acknowledgedBy: null },
    ...over,
  };
}

const storeOf = () =>
  makeAlertStore(
    { client: world.client, table: world.table, clock: world.clock, logger: noopLogger },
    { operator: "ops" },
  );

describe("the alerts of the table", () => {
  it("adds counts up, keeps what came first, and who acknowledged first", async () => {
    const store = storeOf();
    await store.add(alert(1), 1);
    await store.acknowledge("p1", idOf(1), "k1", 5);
    await store.add(alert(1, { firstAt: 9, count: 4 }), 3);
    const again = await store.acknowledge("p1", idOf(1), "k2", 6);
    expect(again).toMatchObject({ count: 4, firstAt: 1, acknowledgedBy: "k1", acknowledgedAt: 5 });
    expect(await store.acknowledge("p2", idOf(1), "k2", 6)).toBeUndefined();
    expect(await store.acknowledge("p1", "al_nothing", "k2", 6)).toBeUndefined();
  });

  it("lists newest first, page by page, filtered, each project its own", async () => {
    const store = storeOf();
    for (const n of [2, 3, 4]) await store.add(alert(n, { rule: n === 3 ? "egress.denied" : "decoy.used" }), 1);
    await store.add(alert(5, { projectId: null }), 1);
    const first = await store.list("p1", { ...all, limit: 3 });
    expect(first.items.map(({ id }) => id)).toEqual([idOf(4), idOf(3), idOf(2)]);
    const second = await store.list("p1", { ...all, limit: 3, cursor: first.nextCursor });
    expect([second.items.map(({ id }) => id), second.nextCursor]).toEqual([[idOf(1)], null]);
    expect((await store.list("p1", { ...all, open: true, rule: "decoy.used" })).items.map(({ id }) => id)).toEqual([
      idOf(4),
      idOf(2),
    ]);
    expect((await store.list("ops", all)).items).toMatchObject([{ id: idOf(5), projectId: null }]);
    expect((await store.list("p2", all)).items).toEqual([]);
    await expect(store.list("p1", { ...all, cursor: "x" })).rejects.toMatchObject({ code: "INVALID_REQUEST" });
  });

  it("forgets them after 30 days", async () => {
    const store = storeOf();
    await world.clock.advance(31 * 86_400_000);
    expect((await store.list("p1", all)).items).toEqual([]);
  });
});

it("finds a decoy by its id until it expires, and in no list of keys", async () => {
  const { keys } = world.stores;
  const decoy = aKey({ id: "DecoyDecoy12", decoyFor: "s1", projectId: "p9", expiresAt: world.clock.now() + 60_000 });
  expect(await keys.insert(decoy)).toBe("written");
  expect(await keys.list("p9")).toEqual([]);
  expect(await keys.get("DecoyDecoy12")).toMatchObject({ decoyFor: "s1" });
  await world.clock.advance(61_000);
  expect(await keys.get("DecoyDecoy12")).toBeUndefined();
});
