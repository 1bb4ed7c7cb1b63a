import { describe, expect, it } from "vitest";
import type { AuditInbox } from "#core/ports.ts";
import { aKey, anAuditEvent, aTemplate, startOfTime } from "#test/support/fixtures.ts";
import type { MakeWorld } from "./world.ts";

export function templateStoreContract(name: string, make: MakeWorld): void {
  describe(`${name}: templates`, () => {
    it("finds a template by name and by id, and replaces it", async () => {
      const { templates } = (await make()).stores;
      await templates.put(aTemplate({ status: "building" }));
      await templates.put(aTemplate());
      expect(await templates.get("base")).toEqual(aTemplate());
      expect(await templates.get("1")).toEqual(aTemplate());
      expect(await templates.get("none")).toBeUndefined();
    });

    it("lists them by name", async () => {
      const { templates } = (await make()).stores;
      const other = aTemplate({ id: "2", name: "alpine", features: ["rich-output"], tags: ["small"] });
      await templates.put(aTemplate());
      await templates.put(other);
      expect(await templates.list()).toEqual([other, aTemplate()]);
    });
  });
}

export function keyStoreContract(name: string, make: MakeWorld): void {
  describe(`${name}: keys`, () => {
    it("inserts a key once", async () => {
      const { keys } = (await make()).stores;
      expect(await keys.insert(aKey())).toBe("written");
      expect(await keys.insert(aKey({ hash: "other" }))).toBe("lost");
      expect(await keys.get(aKey().id)).toEqual(aKey());
      expect(await keys.get("unknown00000")).toBeUndefined();
    });

    it("revokes once, for good", async () => {
      const { keys } = (await make()).stores;
      await keys.insert(aKey());
      const revoked = await Promise.all(Array.from({ length: 5 }, () => keys.revoke(aKey().id, startOfTime + 9)));
      expect(revoked.filter((one) => one === "written")).toHaveLength(1);
      expect((await keys.get(aKey().id))?.revokedAt).toBe(startOfTime + 9);
      expect(await keys.revoke("unknown00000", startOfTime)).toBe("lost");
      expect(await keys.get("unknown00000")).toBeUndefined();
    });

    it("notes the last use, of keys that exist", async () => {
      const { keys } = (await make()).stores;
      await keys.insert(aKey());
      await keys.markUsed(aKey().id, startOfTime + 7);
      await keys.markUsed("unknown00000", startOfTime + 7);
      expect((await keys.get(aKey().id))?.lastUsedAt).toBe(startOfTime + 7);
      expect(await keys.get("unknown00000")).toBeUndefined();
    });

    it("lists a project's keys, oldest first", async () => {
      const { keys } = (await make()).stores;
      for (const index of [2, 0, 1]) {
        await keys.insert(aKey({ id: `keyid000000${index}`, createdAt: startOfTime + index }));
      }
      await keys.insert(aKey({ id: "keyid0000009", projectId: "p2" }));
      expect((await keys.list("p1")).map((record) => record.createdAt - startOfTime)).toEqual([0, 1, 2]);
    });
  });
}

export function auditLogContract(name: string, make: MakeWorld): void {
  describe(`${name}: audit log`, () => {
    it("keeps every event of many callers at once, and pages through them, newest first", async () => {
      const { clock, stores } = await make();
      await clock.advance(1000);
      const events = Array.from({ length: 90 }, (_, index) =>
        anAuditEvent({ id: `event${String(index).padStart(15, "0")}`, at: startOfTime + index, details: { index } }),
      );
      await Promise.all(events.map((event) => stores.audit.append(event)));
      await stores.audit.append(anAuditEvent({ projectId: "p2" }));
      const inbox = stores.audit as AuditInbox;
      const found: unknown[] = [];
      let cursor: string | null = null;
      do {
        const page: Awaited<ReturnType<typeof inbox.list>> = await inbox.list("p1", 40, cursor);
        found.push(...page.items);
        cursor = page.nextCursor;
      } while (cursor !== null);
      expect(found).toEqual([...events].reverse());
    });

    it("goes on into earlier months", async () => {
      const { clock, stores } = await make();
      const days = [0, 20, 40, 100].map((day) => clock.now() + day * 86_400_000);
      for (const [index, at] of days.entries()) {
        await stores.audit.append(anAuditEvent({ id: `event000000000000000${index}`, at }));
      }
      await clock.advance(101 * 86_400_000);
      const inbox = stores.audit as AuditInbox;
      const first = await inbox.list("p1", 3, null);
      const second = await inbox.list("p1", 3, first.nextCursor);
      expect([...first.items, ...second.items].map((event) => event.at)).toEqual([...days].reverse());
      expect(second.nextCursor).toBeNull();
    });

    it("refuses a cursor that is not its own", async () => {
      const audit = (await make()).stores.audit as AuditInbox;
      await expect(audit.list("p1", 3, "nonsense")).rejects.toMatchObject({ code: "INVALID_REQUEST" });
    });
  });
}
