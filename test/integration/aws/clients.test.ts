import { join } from "node:path";
import { Sandbox } from "@hopx-ai/sdk";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { pythonWithClient, runPython } from "#test/e2e/support/python.ts";
import { type FrontDoor, openFrontDoor } from "./front-door.ts";
import { openWorld, type World } from "./world.ts";

/** The control plane's part of the published clients, unmodified, through the functions as they are deployed. */

let world: World;
let door: FrontDoor;
let connection: { readonly apiKey: string; readonly baseURL: string };
/** Launches under way, so that a test ends with none. */
const launching = new Set<Promise<unknown>>();

beforeAll(async () => {
  world = await openWorld();
  door = await openFrontDoor(world, () => {
    const launch = world.launchWanted().then((instanceId) => world.placeTask(instanceId));
    launching.add(launch);
    void launch.finally(() => launching.delete(launch));
  });
  connection = { apiKey: await world.firstKey(), baseURL: door.url };
}, 240_000);
afterAll(async () => {
  door.close();
  await world.end();
});
afterEach(async () => {
  await Promise.allSettled(launching);
  await world.endAgents();
});

it("the JavaScript client keeps its promises", async () => {
  const sandbox = await Sandbox.create({ template: "base", envVars: {}, ...connection });
  const { sandboxId } = sandbox;
  expect(await sandbox.getInfo()).toMatchObject({ sandboxId, status: "running", templateName: "base" });
  expect((await Sandbox.list(connection)).map((one) => one.sandboxId)).toContain(sandboxId);
  const iterated: string[] = [];
  for await (const one of Sandbox.iter({ ...connection, status: "running" })) iterated.push(one.sandboxId);
  expect(iterated).toContain(sandboxId);
  expect((await Sandbox.listTemplates(connection)).map(({ name }) => name)).toContain("base");
  expect((await Sandbox.getTemplate("base", connection)).name).toBe("base");
  await sandbox.setTimeout(600);
  expect((await sandbox.getInfo()).timeoutSeconds).toBe(600);
  const before = await sandbox.getToken();
  await sandbox.refreshToken();
  expect(await sandbox.getToken()).not.toBe(before);
  await sandbox.pause();
  expect((await sandbox.getInfo()).status).toBe("paused");
  const again = await Sandbox.connect(sandboxId, connection.apiKey, connection.baseURL);
  expect((await again.getInfo()).status).toBe("running");
  await sandbox.kill();
  await expect(sandbox.getInfo()).rejects.toThrow(/ended/);
}, 60_000);

it("the Python client keeps its promises", async () => {
  const script = join(import.meta.dirname, "control_client.py");
  const printed = await runPython(await pythonWithClient(), script, {
    BULKHEAD_URL: connection.baseURL,
    HOPX_API_KEY: connection.apiKey,
  });
  expect(printed).toContain("every promise kept");
}, 120_000);
