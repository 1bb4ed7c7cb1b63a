import { mkdtempSync, rmSync } from "node:fs";
import { afterAll, beforeAll } from "vitest";
import { makeLocalVault } from "#local/vault.ts";
import { makeFakeVault } from "#test/support/fake-vault.ts";
import { vaultContract } from "./vault.suite.ts";

let directory = "";
beforeAll(() => {
  directory = mkdtempSync("/tmp/bh-vault-");
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

vaultContract("in memory", async () => makeFakeVault());
vaultContract("one machine", async () => makeLocalVault({ keyFile: `${directory}/vault-key` }));
