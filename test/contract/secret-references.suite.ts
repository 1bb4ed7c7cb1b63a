import { describe, expect, it } from "vitest";
import type { Vault } from "#core/ports.ts";

/** A vault on a store of secrets of its own. */
export interface StoredSecrets {
  readonly vault: Pick<Vault, "resolve">;
  /** What a reference to a project's secret begins with, before its name. */
  prefixOf(projectId: string): string;
  put(projectId: string, name: string, value: string): Promise<unknown>;
}

const object = JSON.stringify({ user: "u", password: 'p"a\\ss', port: 5432, tls: true, in: { deep: "hunter2" } });

/** How references are read is the same wherever the secrets are. */
export function secretReferencesContract(name: string, make: () => Promise<StoredSecrets>): void {
  async function makeStored() {
    const { vault, prefixOf, put } = await make();
    await put("p1", "plain", "plain text\n");
    await put("p1", "team/db=1@x", object);
    await put("p1", "nul", '{"nul":"hunter2\\u0000"}');
    await put("p2", "theirs", "hunter2");
    return { vault, own: prefixOf("p1"), theirs: prefixOf("p2") };
  }

  describe(`${name}: secrets by reference`, () => {
    it("are the whole text, or one key of a JSON object", async () => {
      const { vault, own } = await makeStored();
      const references = {
        PLAIN: `${own}plain`,
        OBJECT: `${own}team/db=1@x`,
        USER: `${own}team/db=1@x#user`,
        PASSWORD: `${own}team/db=1@x#password`,
        PORT: `${own}team/db=1@x#port`,
        TLS: `${own}team/db=1@x#tls`,
      };
      expect(await vault.resolve("p1", references)).toEqual({
        ...{ PLAIN: "plain text\n", OBJECT: object, USER: "u", PASSWORD: 'p"a\\ss', PORT: "5432", TLS: "true" },
      });
    });

    it("are refused alike whatever is wrong, with the name of the variable", async () => {
      const { vault, own, theirs } = await makeStored();
      const wrong = {
        "no such secret": `${own}missing`,
        "another project's": `${theirs}theirs`,
        "not JSON": `${own}plain#key`,
        "no such key": `${own}team/db=1@x#out`,
        "a key of every object": `${own}team/db=1@x#constructor`,
        "no plain value": `${own}team/db=1@x#in`,
        "no value for an environment": `${own}nul#nul`,
        "an empty key": `${own}plain#`,
        "no name": own,
        "a way up": `${own}../p2/theirs`,
      };
      for (const [reason, reference] of Object.entries(wrong)) {
        const refused = vault.resolve("p1", { FINE: `${own}plain`, WRONG: reference });
        await expect(refused, reason).rejects.toMatchObject({ code: "INVALID_REQUEST" });
        const text = await refused.catch((error: unknown) => `${String(error)} ${JSON.stringify(error)}`);
        expect(text, reason).toContain("Secrets that this project cannot use: WRONG");
        expect(text, reason).not.toMatch(/hunter2|theirs|plain text|FINE/);
      }
    });
  });
}
