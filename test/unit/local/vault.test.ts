import { chmodSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, expect, it } from "vitest";
import { makeLocalVault } from "#local/vault.ts";

const own = { sandboxId: "1800000000abcdefghij", projectId: "p1" };

let directory = "";
beforeAll(() => {
  directory = mkdtempSync("/tmp/bh-vault-");
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

it("opens after a restart what it sealed before, with a key that only its owner can read", async () => {
  const keyFile = `${directory}/deep/vault-key`;
  const sealed = await makeLocalVault({ keyFile }).seal({ A: "1" }, own);
  expect(statSync(keyFile).mode & 0o777).toBe(0o600);
  expect(statSync(keyFile).size).toBe(32);
  expect(await makeLocalVault({ keyFile }).open(sealed, own)).toEqual({ A: "1" });
});

it("does not open what another machine sealed", async () => {
  const sealed = await makeLocalVault({ keyFile: `${directory}/one` }).seal({ A: "1" }, own);
  const other = makeLocalVault({ keyFile: `${directory}/two` });
  await expect(other.open(sealed, own)).rejects.toMatchObject({ code: "INTERNAL_ERROR" });
});

it("refuses a key that others can read, that is a link, or that is none", () => {
  const keyFile = `${directory}/open`;
  writeFileSync(keyFile, Buffer.alloc(32), { mode: 0o644 });
  expect(() => makeLocalVault({ keyFile })).toThrow(/chmod 600/);
  chmodSync(keyFile, 0o600);
  symlinkSync(keyFile, `${directory}/link`);
  expect(() => makeLocalVault({ keyFile: `${directory}/link` })).toThrow(/must be a file/);
  writeFileSync(keyFile, "short");
  expect(() => makeLocalVault({ keyFile })).toThrow(/32 bytes/);
});
