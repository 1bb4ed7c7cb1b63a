import { mkdtempSync, rmSync } from "node:fs";
import type { Server } from "node:http";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { makeControlPlane } from "#cli/control-plane.ts";
import { systemClock } from "#core/system-clock.ts";
import { makeControlApp } from "#http/app.ts";
import { makeLocalResolve } from "#local/secrets/resolve.ts";
import { makeLocalSecretStore } from "#local/secrets/secret-store.ts";
import { makeControlServer } from "#local/servers.ts";
import { makeLocalVault } from "#local/vault.ts";
import { makeJsonLogger } from "#telemetry/json-logger.ts";
import { noopLogger } from "#telemetry/logger.ts";
import { setUp } from "../cli/support.ts";
import { makeWorld, outcomeOf } from "../core/world.ts";

const canary = "canary-5e07";

let home = "";
const servers: Server[] = [];
beforeEach(() => {
  home = mkdtempSync("/tmp/bh-secrets-");
});
afterEach(async () => {
  rmSync(home, { recursive: true, force: true });
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((closed) => server.close(closed));
  }
});

async function listen(app: ReturnType<typeof makeControlApp>): Promise<string> {
  const server = makeControlServer(app, systemClock);
  servers.push(server);
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("not listening on a port");
  return `http://127.0.0.1:${address.port}`;
}

/** The command, the API and the store of one machine, without sandboxes. */
async function openMachine() {
  const lines: string[] = [];
  const logger = makeJsonLogger({ level: "debug", write: (line) => lines.push(line), now: () => 0 });
  const seals = makeLocalVault({ keyFile: join(home, "vault-key") });
  const store = makeLocalSecretStore({ directory: join(home, "secrets"), vault: seals, clock: { now: () => 0 } });
  const vault = { ...seals, resolve: makeLocalResolve({ store, logger: noopLogger }) };
  const world = await makeWorld({}, { ports: (ports) => ({ ...ports, secrets: store, vault }) });
  const { platform, clock } = world;
  const config = { organizationId: 1, publicHost: (id: string) => id };
  const url = await listen(makeControlApp({ platform, logger, clock, config }));
  const { key } = await platform.keys.bootstrap({ projectId: "p1", name: "test" });
  const command = (...args: string[]) => {
    const input = { readSecret: async () => `${canary}\n` };
    return setUp({ controlPlane: makeControlPlane(url, key), deps: input }).run("secrets", ...args);
  };
  return { command, world, lines };
}

it("are put by the command, used by name in create, and removed, and leave no trace of a value", async () => {
  const { command, world, lines } = await openMachine();
  const name = "team/git+hub@x";
  const printed = [await command("set", name), await command("list"), await command("list", "--json")];
  expect(printed[0]).toMatchObject({ out: `${name} is kept, version 1\n`, exitCode: 0 });
  expect(printed[1]?.out).toContain(name);
  const { sandbox } = await world.create({ secrets: { TOKEN: name } });
  expect(world.agent.activation(sandbox.instanceId ?? "")).toMatchObject({ env: { TOKEN: canary } });
  printed.push(await command("rm", name));
  expect(await outcomeOf(world.create({ secrets: { TOKEN: name } }))).toEqual({ code: "INVALID_REQUEST" });
  await expect(command("set", "..")).rejects.toThrow();
  const actions = world.stores.audit.events.map(({ action }) => action);
  expect(actions).toEqual(expect.arrayContaining(["secret.put", "secret.list", "secret.remove"]));
  expect(lines.length).toBeGreaterThan(3);
  expect(JSON.stringify([printed, lines, world.stores.audit.events])).not.toContain(canary);
});
