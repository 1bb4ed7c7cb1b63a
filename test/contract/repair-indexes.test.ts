import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import dynalite from "dynalite";
import { expect, it } from "vitest";
import { makeSocketDocumentClient } from "#aws/clients.ts";
import { repairIndexes } from "#aws/repair-indexes.ts";
import { ensureTable, makeDynamoStores, type Stores } from "#aws/stores.ts";
import { systemClock } from "#core/system-clock.ts";
import { noopLogger } from "#telemetry/logger.ts";
import { anInstance, aSandbox, startOfTime } from "#test/support/fixtures.ts";
import { collect } from "./world.ts";

/** The part of dynalite's own store that this test needs to damage its files. */
interface Files {
  keys(): AsyncIterable<string>;
  get(key: string): Promise<Record<string, unknown>>;
  put(key: string, value: unknown): Promise<void>;
  del(key: string): Promise<void>;
  close(): Promise<void>;
}
type OpenFiles = new (path: string, options: { readonly valueEncoding: "json" }) => Files;
const level = createRequire(createRequire(import.meta.url).resolve("dynalite"))("level") as {
  readonly Level: OpenFiles;
};

const table = "repair";

async function withDatabase<T>(
  directory: string,
  work: (stores: Stores, repair: () => Promise<number>) => Promise<T>,
): Promise<T> {
  const server = dynalite({ path: join(directory, "files"), createTableMs: 0 });
  server.listen(join(directory, "db.sock"));
  await once(server, "listening");
  const client = makeSocketDocumentClient(join(directory, "db.sock"));
  try {
    await ensureTable(client, table, systemClock);
    const stores = makeDynamoStores({ client, table, clock: systemClock, logger: noopLogger });
    return await work(stores, () => repairIndexes(client, table));
  } finally {
    client.destroy();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

async function damage(directory: string, change: (files: Files, keys: readonly string[]) => Promise<void>) {
  const files = new level.Level(join(directory, "files"), { valueEncoding: "json" });
  await change(files, await collect(files.keys()));
  await files.close();
}

it("sets indexes right that a killed process left half written", async () => {
  const directory = await mkdtemp(join(tmpdir(), "bulkhead-repair-"));
  const lost = aSandbox({ id: "1800000000lost000000" });
  const phantom = aSandbox({ id: "1800000000phantom000" });
  const early = anInstance({ id: "i00000000000early0", state: "starting" });
  try {
    await withDatabase(directory, async ({ sandboxes, instances }) => {
      for (const record of [aSandbox(), lost, phantom]) await sandboxes.insert(record);
      await instances.insert(anInstance({ createdAt: startOfTime + 1 }));
      await instances.insert(early);
      await instances.replace({ ...early, state: "warm", version: 2 });
    });
    await damage(directory, async (files, keys) => {
      for (const key of keys) {
        if (!key.startsWith("item-") && !key.startsWith("index-")) continue;
        const item = JSON.stringify(await files.get(key));
        if (key.startsWith("index-") && item.includes(lost.id)) await files.del(key);
        if (key.startsWith("item-") && item.includes(phantom.id)) await files.del(key);
        if (key.startsWith("item-") && item.includes(early.id)) {
          const { gsi1pk, gsi1sk, ...before } = await files.get(key);
          expect([gsi1pk, gsi1sk]).not.toContain(undefined);
          await files.put(key, { ...before, state: { S: "starting" }, version: { N: "1" } });
        }
      }
    });
    await withDatabase(directory, async ({ sandboxes, instances }, repair) => {
      expect((await collect(sandboxes.listLive())).map((record) => record.id)).not.toContain(lost.id);
      expect(await instances.listWarm("base", 9)).toHaveLength(2);
      expect(await repair()).toBe(3);
      const live = await collect(sandboxes.listLive());
      expect(live.map((record) => record.id).sort()).toEqual([aSandbox().id, lost.id].sort());
      expect(await instances.listWarm("base", 9)).toEqual([anInstance().id]);
      expect(await instances.get(early.id)).toEqual(early);
      expect(await repair()).toBe(0);
    });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});
