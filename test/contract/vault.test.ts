import { mkdtempSync, rmSync } from "node:fs";
import { afterAll, beforeAll } from "vitest";
import { systemClock } from "#core/system-clock.ts";
import { makeLocalResolve } from "#local/secrets/resolve.ts";
import { makeLocalSecretStore } from "#local/secrets/secret-store.ts";
import { makeLocalVault } from "#local/vault.ts";
import { noopLogger } from "#telemetry/logger.ts";
import { makeFakeVault } from "#test/support/fake-vault.ts";
import { secretReferencesContract } from "./secret-references.suite.ts";
import { vaultContract } from "./vault.suite.ts";

let directory = "";
beforeAll(() => {
  directory = mkdtempSync("/tmp/bh-vault-");
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

async function onOneMachine() {
  const seals = makeLocalVault({ keyFile: `${directory}/vault-key` });
  const store = makeLocalSecretStore({ directory: `${directory}/secrets`, vault: seals, clock: systemClock });
  return { store, vault: { ...seals, resolve: makeLocalResolve({ store, logger: noopLogger }) } };
}

vaultContract("in memory", async () => makeFakeVault());
vaultContract("one machine", async () => (await onOneMachine()).vault);
secretReferencesContract("one machine", async () => {
  const { store, vault } = await onOneMachine();
  return { vault, prefixOf: () => "", put: (...args) => store.put(...args) };
});
