import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { InstanceExit, Launched, LaunchRequest } from "#core/ports.ts";
import { groupName } from "#local/compute/run-dir.ts";
import { aPlatform, aRequest, ask, eventually, runInside, type TestPlatform, traces } from "./support.ts";

let platform: TestPlatform;
let request: LaunchRequest;
let launched: Launched;
const exits: InstanceExit[] = [];

beforeAll(async () => {
  platform = await aPlatform();
  platform.compute.onExit((exit) => exits.push(exit));
  request = aRequest({ memory_mb: 192 });
  launched = await platform.compute.launch(request);
});

afterAll(async () => {
  await platform.remove();
  expect(traces(platform)).toEqual([]);
});

const hog = "node -e 'const k = []; for (;;) k.push(Buffer.alloc(8 << 20, 1))'";

describe("limits", () => {
  it("kills a memory hog and leaves the agent alive", async () => {
    if (launched.enforced.memory === "none") return;
    expect((await runInside(launched, `${hog}; echo code $?`)).out).toContain("code 137");
    expect(JSON.parse(await ask(launched, "/"))).toMatchObject({ state: "warm" });
  });

  it("counts what is written to /tmp and /dev/shm", async () => {
    const fill = "for f in /tmp/f /dev/shm/f; do head -c 400M /dev/zero >$f; stat -c %s $f; rm $f; done";
    const { out } = await runInside(launched, fill);
    expect(out).toContain("No space left on device");
    const sizes = [...out.matchAll(/^\d+$/gm)].map(([size]) => Number(size));
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(192 * 2 ** 20);
  });

  it("bounds a fork bomb and leaves the agent alive", async () => {
    if (launched.enforced.pids === "none") return;
    const { out } = await runInside(
      launched,
      "for i in $(seq 400); do sleep 3 & done; jobs -p | wc -l; kill $(jobs -p)",
    );
    expect(out).toMatch(/fork: (retry: )?Resource temporarily unavailable/);
    expect(JSON.parse(await ask(launched, "/"))).toMatchObject({ state: "warm" });
  });

  it("bounds the disk", async () => {
    const { out } = await runInside(launched, "head -c 200M /dev/zero >big; stat -c %s big; rm big");
    expect(out).toContain("No space left on device");
    expect(Number(/^\d+$/m.exec(out)?.[0])).toBeLessThanOrEqual(64 * 2 ** 20);
  });

  it("gives one CPU's time to a sandbox of one CPU", async () => {
    if (launched.enforced.cpu !== "cgroup-v1") return;
    const { cgroup } = platform.host;
    const parent = cgroup.kind === "v1" ? (cgroup.parents.cpu ?? "") : "";
    const directory = `${parent}/${groupName(platform.dataDir)}/${request.instanceId}`;
    await runInside(launched, "for i in 1 2 3; do (timeout 1 sh -c 'while :; do :; done') & done; wait");
    const throttled = /^nr_throttled (\d+)$/m.exec(readFileSync(`${directory}/cpu.stat`, "utf8"))?.[1];
    expect(Number(throttled)).toBeGreaterThan(0);
  });

  it("tells that an agent died for lack of memory", async () => {
    if (launched.enforced.memory === "none") return;
    const other = aRequest({ memory_mb: 128 });
    const one = await platform.compute.launch(other);
    await ask(one, "/grow").catch(() => {});
    await eventually(() => exits.some(({ instanceId }) => instanceId === other.instanceId));
    expect(exits.find(({ instanceId }) => instanceId === other.instanceId)).toMatchObject({ cause: "out_of_memory" });
  });
});
