import { randomBytes } from "node:crypto";
import { expect, it } from "vitest";
import { type DataKeys, openEnvelope, sealEnvelope } from "#core/envelope.ts";

const own = { sandboxId: "1800000000abcdefghij", projectId: "p1" };

/** One key for everything, as a source would have that binds nothing to a context; the copies it gave out stay visible. */
function careless() {
  const master = randomBytes(32);
  const given: Uint8Array[] = [];
  const give = () => {
    const key = Uint8Array.from(master);
    given.push(key);
    return key;
  };
  const keys: DataKeys = {
    make: async () => ({ key: give(), wrapped: Buffer.from("wrapped") }),
    unwrap: async () => give(),
  };
  return { keys, given };
}

it("binds to its context by itself, whatever the source of keys does", async () => {
  const { keys } = careless();
  const sealed = await sealEnvelope(keys, { A: "1" }, own);
  expect(await openEnvelope(keys, sealed, own)).toEqual({ A: "1" });
  const other = { ...own, sandboxId: "1800000000zzzzzzzzzz" };
  await expect(openEnvelope(keys, sealed, other)).rejects.toMatchObject({ code: "INTERNAL_ERROR" });
});

it("leaves no key in memory, whether it opens or not", async () => {
  const { keys, given } = careless();
  const sealed = await sealEnvelope(keys, { A: "1" }, own);
  await openEnvelope(keys, sealed, own);
  await openEnvelope(keys, sealed, { ...own, projectId: "p2" }).catch(() => undefined);
  expect(given).toHaveLength(3);
  for (const key of given) expect(key.every((byte) => byte === 0)).toBe(true);
});

it("says nothing of what it could not read", async () => {
  const { keys } = careless();
  const sealed = await sealEnvelope(keys, { A: "hunter2" }, own);
  const error: unknown = await openEnvelope(keys, sealed, { ...own, projectId: "p2" }).catch(
    (thrown: unknown) => thrown,
  );
  expect(error).toMatchObject({ code: "INTERNAL_ERROR" });
  expect((error as Error).cause).toBeUndefined();
});
