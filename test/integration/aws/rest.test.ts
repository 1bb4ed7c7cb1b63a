import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { everyMinute, itemsOf, tasksIn } from "./events.ts";
import { openWorld, parsed, type World } from "./world.ts";

/** Stop and start through the functions as they are deployed, with a real agent on each side of it. */

let world: World;
beforeAll(async () => {
  world = await openWorld();
}, 240_000);
afterAll(() => world.end());
afterEach(async () => {
  vi.useRealTimers();
  await world.endAgents();
});

const secret = "canary-9f3c";

interface Running {
  readonly id: string;
  readonly instanceId: string;
}

/** One that runs with a secret in its environment and a file on its disk. */
async function create(): Promise<Running> {
  const creating = world.call("POST", "/v1/sandboxes", {
    template_name: "base",
    env_vars: { PLAIN: "yes" },
    secrets: { DB: `${world.account.secretPrefix}/default/database#password` },
  });
  const instanceId = await world.launchWanted();
  await world.placeTask(instanceId);
  const id = String(parsed(await creating)["id"]);
  await mkdir(directoryOf(instanceId), { recursive: true });
  await writeFile(join(directoryOf(instanceId), "file"), "kept");
  return { id, instanceId };
}

const directoryOf = (diskId: string) => join(world.mount, "instances", diskId);
const fileOf = (diskId: string) => readFile(join(directoryOf(diskId), "file"), "utf8");
const change = (verb: string, id: string) => world.call("POST", `/v1/sandboxes/${id}/${verb}`);

async function stop({ id, instanceId }: Running): Promise<void> {
  const stopped = await change("stop", id);
  expect(stopped.statusCode).toBe(200);
  expect(parsed(stopped)).toMatchObject({ status: "stopped", compute_billed: false });
  expect(await tasksIn("instances")).toEqual([]);
  await world.endAgents();
  await world.taskStopped(instanceId, { stopCode: "UserInitiated" });
}

/** @returns the instance that it runs on now */
async function start(id: string): Promise<string> {
  const starting = change("start", id);
  const instanceId = await world.launchWanted();
  expect(parsed(await world.call("GET", `/v1/sandboxes/${id}`))).toMatchObject({ status: "creating" });
  await world.placeTask(instanceId);
  const started = await starting;
  expect(started.statusCode).toBe(200);
  expect(parsed(started)).toMatchObject({ status: "running", compute_billed: true });
  return instanceId;
}

async function sweep(times: number): Promise<void> {
  for (let round = 0; round < times; round += 1) {
    await world.functions.sweeper(everyMinute);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 200_000 });
  }
}

async function expectNothingLeft(id: string): Promise<void> {
  expect(await world.leftovers()).toEqual([]);
  expect((await world.call("GET", `/v1/sandboxes/${id}`)).statusCode).toBe(410);
  const records = await itemsOf(world.account.table, "SANDBOX");
  expect(records.find((item) => item["id"]?.S === id)?.["sealedEnv"]).toEqual({ NULL: true });
  const [quota] = await itemsOf(world.account.table, "QUOTA");
  expect(quota?.["inUse"]?.N).toBe("0");
}

describe("stop and start on AWS", () => {
  it("keeps files and environment over two instances, whatever comes late, and leaves nothing", async () => {
    const first = await create();
    const { id } = first;
    await stop(first);
    const disk = `access point /instances/${first.instanceId}`;
    expect(await world.leftovers()).toEqual([disk, `files of ${first.instanceId}`]);
    expect(JSON.stringify(await itemsOf(world.account.table, ""))).not.toContain(secret);
    expect(parsed(await change("stop", id))).toMatchObject({ status: "stopped" });
    await sweep(3);
    expect(await fileOf(first.instanceId)).toBe("kept");
    vi.useRealTimers();

    const second = await start(id);
    expect(second).not.toBe(first.instanceId);
    // News of the first one that comes when its disk has another instance.
    await world.taskStopped(first.instanceId, { stopCode: "UserInitiated" });
    expect(await fileOf(first.instanceId)).toBe("kept");
    const ran = await world.agentPost("/commands/run", { command: 'echo "$PLAIN $DB"', workdir: "/tmp" });
    expect(JSON.parse(ran.text)).toMatchObject({ stdout: `yes ${secret}\n` });
    expect(parsed(await change("start", id))).toMatchObject({ status: "running" });

    await stop({ id, instanceId: second });
    const third = await start(id);
    expect(await fileOf(first.instanceId)).toBe("kept");
    expect(parsed(await world.call("DELETE", `/v1/sandboxes/${id}`))).toMatchObject({ deleted: true });
    expect(await tasksIn("instances")).toEqual([]);
    await world.taskStopped(third, { stopCode: "UserInitiated" });
    await expectNothingLeft(id);
  });

  it("is stopped again when its start comes to nothing, and starts then", async () => {
    const first = await create();
    await stop(first);
    const starting = change("start", first.id);
    const failed = await world.launchWanted();
    await world.taskStopped(failed, { exitCode: 1 });
    expect(parsed(await starting)).toMatchObject({ code: "AGENT_UNREACHABLE" });
    expect(parsed(await world.call("GET", `/v1/sandboxes/${first.id}`))).toMatchObject({ status: "stopped" });
    // moto's task goes on although we said that it has ended.
    await sweep(3);
    vi.useRealTimers();
    expect(await fileOf(first.instanceId)).toBe("kept");
    const second = await start(first.id);
    await world.call("DELETE", `/v1/sandboxes/${first.id}`);
    await world.taskStopped(second, { stopCode: "UserInitiated" });
    await expectNothingLeft(first.id);
  });

  it("removes what a sandbox that is killed while it is stopped had kept", async () => {
    const one = await create();
    await stop(one);
    expect(parsed(await world.call("DELETE", `/v1/sandboxes/${one.id}`))).toMatchObject({ deleted: true });
    await sweep(3);
    vi.useRealTimers();
    await expectNothingLeft(one.id);
  });
});
