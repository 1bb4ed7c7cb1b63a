import { describe, expect, it } from "vitest";
import { anInstance, startOfTime } from "#test/support/fixtures.ts";
import { collect, type MakeWorld } from "./world.ts";

const idOf = (index: number) => `i${String(index).padStart(16, "0")}`;

export function instanceStoreContract(name: string, make: MakeWorld): void {
  describe(`${name}: instances`, () => {
    it("inserts once, replaces by version, removes", async () => {
      const { instances } = (await make()).stores;
      const tcp = anInstance({ endpoint: { kind: "tcp", host: "10.0.0.1", port: 7777 }, version: 2 });
      expect(await instances.insert(anInstance())).toBe("written");
      expect(await instances.insert(anInstance())).toBe("lost");
      expect(await instances.replace(anInstance({ version: 3 }))).toBe("lost");
      expect(await instances.replace(tcp)).toBe("written");
      expect(await instances.get(tcp.id)).toEqual(tcp);
      await instances.remove(tcp.id);
      await instances.remove(tcp.id);
      expect(await instances.get(tcp.id)).toBeUndefined();
      expect(await collect(instances.listAll())).toEqual([]);
    });

    it("gives each of 10 warm instances to exactly one of 100 claimers", async () => {
      const { instances } = (await make()).stores;
      for (let index = 0; index < 10; index += 1) await instances.insert(anInstance({ id: idOf(index) }));
      const won = await Promise.all(
        Array.from({ length: 100 }, async (_, claimer) => {
          for (let step = 0; step < 10; step += 1) {
            const claimed = await instances.claim(idOf((claimer + step) % 10), `sandbox${claimer}`);
            if (claimed !== null) return claimed;
          }
          return null;
        }),
      );
      const claimed = won.filter((record) => record !== null);
      expect(new Set(claimed.map((record) => record.id)).size).toBe(10);
      expect(claimed).toHaveLength(10);
      for (const record of claimed) {
        expect(record).toMatchObject({ state: "claimed", version: 2 });
        expect(await instances.get(record.id)).toEqual(record);
      }
    });

    it("does not claim what is not warm, or not there", async () => {
      const { instances } = (await make()).stores;
      await instances.insert(anInstance({ state: "starting" }));
      expect(await instances.claim(anInstance().id, "s1")).toBeNull();
      expect(await instances.claim(idOf(77), "s1")).toBeNull();
      expect(await instances.get(idOf(77))).toBeUndefined();
    });

    it("refuses a write based on what was read before a claim", async () => {
      const { instances } = (await make()).stores;
      await instances.insert(anInstance());
      await instances.claim(anInstance().id, "s1");
      expect(await instances.replace(anInstance({ state: "stopping", version: 2 }))).toBe("lost");
    });

    it("lists warm ones of a template, oldest first, up to a limit", async () => {
      const { instances } = (await make()).stores;
      for (const index of [3, 1, 2, 0]) {
        await instances.insert(anInstance({ id: idOf(index), createdAt: startOfTime + index }));
      }
      await instances.insert(anInstance({ id: idOf(8), templateName: "other" }));
      await instances.insert(anInstance({ id: idOf(9), state: "starting" }));
      await instances.claim(idOf(1), "s1");
      expect(await instances.listWarm("base", 10)).toEqual([idOf(0), idOf(2), idOf(3)]);
      expect(await instances.listWarm("base", 2)).toEqual([idOf(0), idOf(2)]);
      expect(await instances.listWarm("none", 2)).toEqual([]);
    });

    it("shows an instance as warm from the write that makes it so", async () => {
      const { instances } = (await make()).stores;
      await instances.insert(anInstance({ state: "starting" }));
      expect(await instances.listWarm("base", 10)).toEqual([]);
      await instances.replace(anInstance({ version: 2 }));
      expect(await instances.listWarm("base", 10)).toEqual([anInstance().id]);
    });

    it("finds who has an address now: claimed, and the youngest where an address was used again", async () => {
      const { instances } = (await make()).stores;
      const at = (index: number, host: string) =>
        anInstance({
          id: idOf(index),
          createdAt: startOfTime + index,
          endpoint: { kind: "tcp", host, port: 7777, fingerprint: "ab" },
        });
      for (const record of [at(1, "10.0.0.1"), at(2, "10.0.0.1"), at(3, "10.0.0.2")]) await instances.insert(record);
      expect(await instances.findByAddress("10.0.0.1")).toBeUndefined();
      await instances.claim(idOf(2), "s2");
      await instances.claim(idOf(1), "s1");
      expect(await instances.findByAddress("10.0.0.1")).toEqual(await instances.get(idOf(2)));
      const claimed = await instances.get(idOf(2));
      if (claimed !== undefined)
        await instances.replace({ ...claimed, state: "stopping", version: claimed.version + 1 });
      expect(await instances.findByAddress("10.0.0.1")).toMatchObject({ id: idOf(2), state: "stopping" });
      await instances.remove(idOf(2));
      expect(await instances.findByAddress("10.0.0.1")).toMatchObject({ id: idOf(1), sandboxId: "s1" });
      expect(await instances.findByAddress("10.0.0.2")).toBeUndefined();
      expect(await instances.findByAddress("10.0.0.9")).toBeUndefined();
    });

    it("lists all, in whatever state", async () => {
      const { instances } = (await make()).stores;
      const states = ["starting", "warm", "claimed", "stopping"] as const;
      for (const [index, state] of states.entries()) await instances.insert(anInstance({ id: idOf(index), state }));
      const found = await collect(instances.listAll());
      expect(found.map((record) => record.state).sort()).toEqual([...states].sort());
    });
  });
}
