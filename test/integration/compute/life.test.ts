import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { agentExitCodes } from "#contracts/agent-control.ts";
import type { InstanceExit } from "#core/ports.ts";
import { defaultComputeLimits } from "#local/compute/capacity.ts";
import { aPlatform, aRequest, ask, eventually, runInside, type TestPlatform, traces } from "./support.ts";

let platform: TestPlatform;
const exits: InstanceExit[] = [];

beforeAll(async () => {
  platform = await aPlatform();
  platform.compute.onExit((exit) => exits.push(exit));
  await platform.compute.start();
});

afterAll(async () => {
  await platform.remove();
  expect(traces(platform)).toEqual([]);
});

const exitOf = async (id: string): Promise<InstanceExit | undefined> => {
  await eventually(() => exits.some(({ instanceId }) => instanceId === id));
  return exits.find(({ instanceId }) => instanceId === id);
};

describe("life of an instance", () => {
  it("answers over its endpoint, is listed, and leaves nothing when stopped", async () => {
    const request = aRequest();
    const launched = await platform.compute.launch(request);
    expect(JSON.parse(await ask(launched, "/"))).toMatchObject({ state: "warm" });
    expect(await platform.compute.list()).toMatchObject([{ instanceId: request.instanceId, state: "running" }]);
    await platform.compute.stop(request.instanceId);
    expect(await platform.compute.describe(request.instanceId)).toBeUndefined();
    await eventually(() => traces(platform).length === 0);
    expect(exits).toEqual([]);
  });

  it("returns the first instance when a launch is repeated, also while it runs", async () => {
    const request = aRequest();
    const [first, second] = await Promise.all([platform.compute.launch(request), platform.compute.launch(request)]);
    expect(second).toEqual(first);
    expect(await platform.compute.launch(request)).toEqual(first);
    await Promise.all([platform.compute.stop(request.instanceId), platform.compute.stop(request.instanceId)]);
    await platform.compute.stop(request.instanceId);
  });

  it("stops an instance whose launch is still under way", async () => {
    const request = aRequest();
    const launching = platform.compute.launch(request);
    await platform.compute.stop(request.instanceId);
    await launching;
    await eventually(() => traces(platform).length === 0);
  });

  it("starts and stops many at once", async () => {
    const requests = Array.from({ length: 8 }, () => aRequest());
    const launched = await Promise.all(requests.map((request) => platform.compute.launch(request)));
    await Promise.all(launched.map((one) => ask(one, "/")));
    await Promise.all(requests.map(({ instanceId }) => platform.compute.stop(instanceId)));
    await eventually(() => traces(platform).length === 0);
  });

  it.each(Object.entries(agentExitCodes))("tells that an agent ended itself by %s", async (cause, code) => {
    const request = aRequest();
    const launched = await platform.compute.launch(request);
    await ask(launched, "/exit", String(code)).catch(() => {});
    expect(await exitOf(request.instanceId)).toMatchObject({ cause });
    await eventually(() => traces(platform).length === 0);
  });

  it("tells that an agent died", async () => {
    const request = aRequest();
    const launched = await platform.compute.launch(request);
    await ask(launched, "/exit", "3").catch(() => {});
    expect(await exitOf(request.instanceId)).toMatchObject({
      cause: "task_failed",
      message: "agent ended with exit code 3",
    });
  });

  it("leaves nothing when a launch fails", async () => {
    const broken = await aPlatform({
      host: platform.host,
      openEgress: () => Promise.reject(new Error("no proxy")),
    });
    const request = aRequest();
    await expect(broken.compute.launch(request)).rejects.toMatchObject({ code: "SERVICE_UNAVAILABLE" });
    expect(await broken.compute.list()).toEqual([]);
    await broken.remove();
    expect(traces(broken)).toEqual([]);
  });

  it("leaves nothing when a part of the template is missing", async () => {
    const broken = await aPlatform({
      host: platform.host,
      templates: () => ({ binds: [{ source: "/nowhere/at/all", target: "/opt/part" }], env: {}, features: [] }),
    });
    await expect(broken.compute.launch(aRequest())).rejects.toMatchObject({ code: "SERVICE_UNAVAILABLE" });
    await broken.remove();
    expect(traces(broken)).toEqual([]);
  });

  it("leaves nothing when it cannot even prepare", async () => {
    const broken = await aPlatform({ host: platform.host, agentBundle: "/nowhere/agent.cjs" });
    await expect(broken.compute.start()).rejects.toThrow("/nowhere/agent.cjs");
    expect(existsSync(broken.runDir)).toBe(false);
    await broken.remove();
  });

  it("refuses what it has no room for", async () => {
    const full = await aPlatform({ host: platform.host, limits: { ...defaultComputeLimits, maxInstances: 1 } });
    const request = aRequest();
    await full.compute.launch(request);
    await expect(full.compute.launch(aRequest())).rejects.toMatchObject({ code: "CAPACITY_EXHAUSTED" });
    await full.compute.stop(request.instanceId);
    await full.compute.launch(aRequest());
    await full.remove();
    expect(traces(full)).toEqual([]);
  });

  it("offers template parts from directories that only the platform's user can enter", async () => {
    const source = `${platform.dataDir}/part`;
    mkdirSync(source, { mode: 0o755 });
    writeFileSync(`${source}/hello`, "from the template");
    const other = await aPlatform({
      host: platform.host,
      templates: () => ({ binds: [{ source, target: "/opt/deep/part" }], env: { PART: "1" }, features: [] }),
    });
    const launched = await other.compute.launch(aRequest());
    const { out } = await runInside(launched, "cat /opt/deep/part/hello; touch /opt/deep/part/x");
    expect(out).toMatch(/^from the template.*Read-only file system/s);
    await other.remove();
    expect(traces(other)).toEqual([]);
  });
});
