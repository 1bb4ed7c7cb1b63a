import { describe, expect, it } from "vitest";
import type { Vault } from "#core/ports.ts";

const own = { sandboxId: "1800000000abcdefghij", projectId: "p1" };
const closed = { code: "INTERNAL_ERROR" };

export function vaultContract(name: string, make: () => Promise<Vault>): void {
  describe(`${name}: sealed values`, () => {
    it.each<[string, Record<string, string>]>([
      ["some", { API_URL: "https://example.com", EMPTY: "", LINES: "a\nb\r\n\tc" }],
      ["none", {}],
      ["of all scripts", { NAME: "žluťoučký 🐎 \u0000 \u{10ffff}", __proto__name: "x" }],
      [
        "many and large",
        Object.fromEntries(Array.from({ length: 200 }, (_, index) => [`V${index}`, "v".repeat(1_000)])),
      ],
    ])("come back as they were: %s", async (_case, values) => {
      const vault = await make();
      const sealed = await vault.seal(values, own);
      expect(await vault.open(sealed, own)).toEqual(values);
      expect(await vault.open(sealed, own)).toEqual(values);
    });

    it("are text that may be stored, and says nothing of what it holds", async () => {
      const vault = await make();
      const sealed = await vault.seal({ PASSWORD: "correct-horse-battery" }, own);
      expect(sealed).toMatch(/^bh1\.[\w.-]+$/);
      const decoded = sealed.split(".").map((part) => Buffer.from(part, "base64url").toString("latin1"));
      for (const text of [sealed, ...decoded]) expect(text).not.toMatch(/PASSWORD|horse/);
    });

    it("look different each time", async () => {
      const vault = await make();
      const texts = await Promise.all([1, 2, 3].map(() => vault.seal({ A: "1" }, own)));
      for (const part of [1, 2, 3]) expect(new Set(texts.map((text) => text.split(".")[part])).size).toBe(3);
    });

    it.each([
      ["another sandbox", { ...own, sandboxId: "1800000000zzzzzzzzzz" }],
      ["another project", { ...own, projectId: "p2" }],
      ["the two swapped", { sandboxId: own.projectId, projectId: own.sandboxId }],
    ])("stay closed for %s", async (_case, context) => {
      const vault = await make();
      await expect(vault.open(await vault.seal({ A: "1" }, own), context)).rejects.toMatchObject(closed);
    });

    it("stay closed when any part was changed", async () => {
      const vault = await make();
      const sealed = await vault.seal({ A: "some value" }, own);
      const parts = sealed.split(".");
      for (const index of parts.keys()) {
        const part = parts[index] ?? "";
        // Not the last character: its last bits may stand for nothing.
        const at = Math.floor(part.length / 2);
        const changed = `${part.slice(0, at)}${part[at] === "A" ? "B" : "A"}${part.slice(at + 1)}`;
        await expect(vault.open(parts.with(index, changed).join("."), own)).rejects.toMatchObject(closed);
      }
    });

    it("stay closed when parts of two are put together", async () => {
      const vault = await make();
      const [one, two] = [await vault.seal({ A: "1" }, own), await vault.seal({ A: "2" }, own)].map((text) =>
        text.split("."),
      );
      for (const index of [1, 2, 3]) {
        const mixed = (one ?? []).with(index, two?.[index] ?? "").join(".");
        await expect(vault.open(mixed, own)).rejects.toMatchObject(closed);
      }
    });

    it.each([
      "",
      "bh1",
      "bh1...",
      "bh2.AAAA.AAAA.AAAA",
      '{"A":"1"}',
      "bh1.AAAA.AAAAAAAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAA",
    ])("are not %j", async (text) => {
      const vault = await make();
      await expect(vault.open(text, own)).rejects.toMatchObject(closed);
    });
  });

  describe(`${name}: references to secrets`, () => {
    it("that are none resolve to nothing", async () => {
      expect(await (await make()).resolve("p1", {})).toEqual({});
    });

    it("that cannot be used are refused with the names of the variables, and with nothing of the reference", async () => {
      const vault = await make();
      const refused = vault.resolve("p1", { DB_PASSWORD: "no/such-secret#inner" });
      await expect(refused).rejects.toMatchObject({ code: "INVALID_REQUEST" });
      const text = await refused.catch((error: unknown) => `${String(error)} ${JSON.stringify(error)}`);
      expect(text).toContain("DB_PASSWORD");
      expect(text).not.toMatch(/such-secret|inner/);
    });
  });
}
