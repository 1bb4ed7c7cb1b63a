import { randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { makeControlApp } from "#http/app.ts";
import type { ControlPlane } from "#http/control-plane.ts";
import { noopLogger } from "#telemetry/logger.ts";

/** Writes docs/openapi.json from the routes; with --check only says whether it is up to date. */
const target = new URL("../docs/openapi.json", import.meta.url);

const unreachable = (): Promise<never> => Promise.reject(new Error("The document needs no platform."));
const platform: ControlPlane = {
  audit: { note: () => undefined },
  alerts: { list: unreachable, acknowledge: unreachable },
  auditRecord: {
    list: unreachable,
    export: unreachable,
    checkpoints: unreachable,
    checkpoint: unreachable,
    publicKey: unreachable,
  },
  keys: { authenticate: unreachable, create: unreachable, list: unreachable, rotate: unreachable, revoke: unreachable },
  sandboxes: {
    create: unreachable,
    get: unreachable,
    list: unreachable,
    kill: unreachable,
    setTimeout: unreachable,
    setNetwork: unreachable,
    refreshToken: unreachable,
    pause: unreachable,
    resume: unreachable,
    stop: unreachable,
    start: unreachable,
  },
  quarantine: { quarantine: unreachable, release: unreachable },
  evidence: { bundle: unreachable },
  egress: { list: unreachable },
  secrets: { list: unreachable, put: unreachable, remove: unreachable },
  templates: { get: unreachable, list: unreachable },
};

const app = makeControlApp({
  platform,
  logger: noopLogger,
  clock: { now: () => 0, random: (bytes) => randomBytes(bytes) },
  config: { organizationId: 1, publicHost: () => "" },
});
const document = `${JSON.stringify(await (await app.request("/v1/openapi.json")).json(), null, 2)}\n`;

if (!process.argv.includes("--check")) {
  await writeFile(target, document);
} else if ((await readFile(target, "utf8").catch(() => "")) !== document) {
  console.error("docs/openapi.json differs from the routes. Run: npm run openapi");
  process.exitCode = 1;
}
