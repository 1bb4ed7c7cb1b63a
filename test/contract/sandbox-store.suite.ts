import { describe, expect, it } from "vitest";
import type { SandboxRecord } from "#core/model.ts";
import type { AuditInbox, SandboxQuery, SandboxStore } from "#core/ports.ts";
import { anAuditEvent, anEndedSandbox, aSandbox, startOfTime } from "#test/support/fixtures.ts";
import { collect, type MakeWorld } from "./world.ts";

const everything: SandboxQuery = { limit: 100, cursor: null, statuses: null, region: null };

function numbered(index: number, changes: Partial<SandboxRecord> = {}): SandboxRecord {
  return aSandbox({ id: `1800000000a${String(index).padStart(9, "0")}`, createdAt: startOfTime + index, ...changes });
}

async function pages(store: SandboxStore, query: SandboxQuery): Promise<SandboxRecord[][]> {
  const all: SandboxRecord[][] = [];
  let cursor: string | null = null;
  do {
    const page: Awaited<ReturnType<SandboxStore["list"]>> = await store.list("p1", { ...query, cursor });
    all.push([...page.items]);
    cursor = page.nextCursor;
  } while (cursor !== null);
  return all;
}

export function sandboxStoreContract(name: string, make: MakeWorld): void {
  describe(`${name}: sandboxes`, () => {
    it("returns what was inserted, and refuses the same id twice", async () => {
      const { sandboxes } = (await make()).stores;
      expect(await sandboxes.insert(aSandbox())).toBe("written");
      expect(await sandboxes.insert(aSandbox({ status: "paused" }))).toBe("lost");
      expect(await sandboxes.get(aSandbox().id)).toEqual(aSandbox());
      expect(await sandboxes.get("1800000000unknownxxx")).toBeUndefined();
    });

    it("stores the event of a making with what is made, and not again for one that is there", async () => {
      const { sandboxes, audit: log } = (await make()).stores;
      const audit = log as AuditInbox;
      const event = anAuditEvent({ action: "sandbox.create", target: aSandbox().id });
      expect(await sandboxes.insert(aSandbox(), event)).toBe("written");
      expect((await audit.list("p1", 10, null)).items).toEqual([event]);
      expect(await sandboxes.insert(aSandbox({ status: "paused" }), event)).toBe("lost");
      expect((await audit.list("p1", 10, null)).items).toEqual([event]);
      expect(await sandboxes.get(aSandbox().id)).toEqual(aSandbox());
    });

    it("lets one of many writers of the same version win", async () => {
      const { sandboxes } = (await make()).stores;
      await sandboxes.insert(aSandbox());
      const written = await Promise.all(
        Array.from({ length: 30 }, (_, writer) =>
          sandboxes.replace(aSandbox({ version: 2, lastActivityAt: startOfTime + writer })),
        ),
      );
      expect(written.filter((one) => one === "written")).toHaveLength(1);
      expect((await sandboxes.get(aSandbox().id))?.lastActivityAt).toBe(startOfTime + written.indexOf("written"));
    });

    it("does not replace what does not exist", async () => {
      const { sandboxes } = (await make()).stores;
      expect(await sandboxes.replace(aSandbox({ version: 2 }))).toBe("lost");
    });

    it("treats a tombstone whose time has passed as gone, although nothing has deleted it", async () => {
      const { clock, stores } = await make();
      const ended = anEndedSandbox({ expiresAtSeconds: Math.floor(clock.now() / 1000) + 60 });
      await stores.sandboxes.insert(ended);
      const query: SandboxQuery = { ...everything, statuses: ["deleted"] };
      expect(await stores.sandboxes.get(ended.id)).toEqual(ended);
      expect((await stores.sandboxes.list("p1", query)).items).toEqual([ended]);
      await clock.advance(60_000);
      expect(await stores.sandboxes.get(ended.id)).toBeUndefined();
      expect((await stores.sandboxes.list("p1", query)).items).toEqual([]);
    });

    it("touches forward only, never an ended sandbox, and leaves the version", async () => {
      const { sandboxes } = (await make()).stores;
      const ended = anEndedSandbox({ id: "1800000000endedxxxxx" });
      await sandboxes.insert(aSandbox());
      await sandboxes.insert(ended);
      await sandboxes.touch(aSandbox().id, startOfTime + 5);
      await sandboxes.touch(aSandbox().id, startOfTime + 3);
      await sandboxes.touch(ended.id, startOfTime + 50_000);
      await sandboxes.touch("1800000000unknownxxx", startOfTime);
      expect(await sandboxes.get(aSandbox().id)).toEqual(aSandbox({ lastActivityAt: startOfTime + 5 }));
      expect(await sandboxes.get(ended.id)).toEqual(ended);
      expect(await sandboxes.get("1800000000unknownxxx")).toBeUndefined();
    });

    it("lists what lives, of all projects, and nothing that has ended", async () => {
      const { sandboxes } = (await make()).stores;
      const live = Array.from({ length: 12 }, (_, index) => numbered(index, { projectId: `p${index % 3}` }));
      for (const record of live) await sandboxes.insert(record);
      await sandboxes.insert(anEndedSandbox({ id: "1800000000endedxxxxx" }));
      const found = await collect(sandboxes.listLive());
      expect(found.map((record) => record.id).sort()).toEqual(live.map((record) => record.id).sort());
    });

    it("drops a sandbox from what lives when it ends", async () => {
      const { sandboxes } = (await make()).stores;
      await sandboxes.insert(aSandbox());
      await sandboxes.replace(anEndedSandbox({ version: 2 }));
      expect(await collect(sandboxes.listLive())).toEqual([]);
      expect((await sandboxes.list("p1", everything)).items).toEqual([]);
    });
  });

  describe(`${name}: lists of sandboxes`, () => {
    it("pages through one project, newest first, each exactly once", async () => {
      const { sandboxes } = (await make()).stores;
      for (let index = 0; index < 57; index += 1) await sandboxes.insert(numbered(index));
      await sandboxes.insert(numbered(99, { projectId: "p2" }));
      const found = await pages(sandboxes, { ...everything, limit: 10 });
      expect(found.map((page) => page.length)).toEqual([10, 10, 10, 10, 10, 7]);
      expect(found.flat().map((record) => record.createdAt - startOfTime)).toEqual(
        Array.from({ length: 57 }, (_, index) => 56 - index),
      );
    });

    it("has no further page when the last one is exactly full", async () => {
      const { sandboxes } = (await make()).stores;
      for (let index = 0; index < 4; index += 1) await sandboxes.insert(numbered(index));
      expect((await sandboxes.list("p1", { ...everything, limit: 4 })).nextCursor).toBeNull();
    });

    it("mixes live and ended ones by age when both are asked for", async () => {
      const { sandboxes } = (await make()).stores;
      for (let index = 0; index < 9; index += 1) {
        const { id, createdAt } = numbered(index);
        await sandboxes.insert(index % 2 === 0 ? numbered(index) : anEndedSandbox({ id, createdAt }));
      }
      const found = await pages(sandboxes, { ...everything, limit: 2, statuses: ["running", "deleted"] });
      expect(found.flat().map((record) => record.createdAt - startOfTime)).toEqual([8, 7, 6, 5, 4, 3, 2, 1, 0]);
    });

    it("keeps to status and region, with full pages", async () => {
      const { sandboxes } = (await make()).stores;
      for (let index = 0; index < 60; index += 1) {
        await sandboxes.insert(
          numbered(index, { status: index % 2 === 0 ? "running" : "paused", region: index % 3 === 0 ? "a" : "b" }),
        );
      }
      const found = await pages(sandboxes, { limit: 4, cursor: null, statuses: ["paused"], region: "a" });
      expect(found.map((page) => page.length)).toEqual([4, 4, 2]);
      expect(found.flat().every((record) => record.status === "paused" && record.region === "a")).toBe(true);
    });

    it.each(["nonsense", "", "MTpub3BhcnRz"])("refuses the cursor %j", async (cursor) => {
      const { sandboxes } = (await make()).stores;
      await expect(sandboxes.list("p1", { ...everything, cursor })).rejects.toMatchObject({ code: "INVALID_REQUEST" });
    });
  });
}
