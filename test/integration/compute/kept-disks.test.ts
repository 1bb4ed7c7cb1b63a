import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, rmdirSync, statSync, writeSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { LaunchRequest } from "#core/ports.ts";
import { aPlatform, aRequest, ask, eventually, runInside, type TestPlatform, traces } from "./support.ts";

const root = process.getuid?.() === 0;
const keepDisk = { keepDisk: true } as const;
const onDisk = (disk: LaunchRequest): LaunchRequest => ({ ...aRequest(), diskId: disk.instanceId });
const keptImages = ({ dataDir }: TestPlatform): readonly string[] =>
  existsSync(`${dataDir}/disks/kept`) ? readdirSync(`${dataDir}/disks/kept`) : [];

describe.runIf(root)("a kept disk", () => {
  let platform: TestPlatform;
  beforeAll(async () => {
    platform = await aPlatform();
    await platform.compute.start();
  });
  afterAll(async () => {
    await platform.remove();
    expect(traces(platform)).toEqual([]);
  });

  /** An instance that wrote files as user and as agent, stopped with its disk kept. */
  async function stopped(resources = {}): Promise<LaunchRequest> {
    const request = aRequest(resources);
    const launched = await platform.compute.launch(request);
    await runInside(launched, "mkdir d && echo mine >d/file && chmod 600 d/file && ln -s /etc/passwd link");
    await runInside(launched, "echo agent >/workspace/by-agent && chmod 644 /workspace/by-agent", "agent");
    await platform.compute.stop(request.instanceId, keepDisk);
    return request;
  }

  it("has its files with their owners for the next instance, which can write them", async () => {
    const first = await stopped();
    const second = onDisk(first);
    const launched = await platform.compute.launch(second);
    const { out } = await runInside(launched, "cat d/file; stat -c %U:%a d/file by-agent .; readlink link; id -u");
    expect(out).toBe("mine\nuser:600\nroot:644\nuser:755\n/etc/passwd\n1000\n");
    expect((await runInside(launched, "echo more >>d/file && rm link && cat d/file")).out).toBe("mine\nmore\n");
    await platform.compute.stop(second.instanceId, keepDisk);
    expect(await platform.compute.listDisks()).toEqual([first.instanceId]);
    const third = onDisk(first);
    expect((await runInside(await platform.compute.launch(third), "cat d/file; ls")).out).toContain("mine\nmore\n");
    await platform.compute.stop(third.instanceId);
    expect(await platform.compute.listDisks()).toEqual([]);
    await eventually(() => traces(platform).length === 0);
    expect(keptImages(platform)).toEqual([]);
  });

  it("still ends at its size", async () => {
    const first = await stopped({ disk_mb: 64 });
    const second = onDisk(first);
    const launched = await platform.compute.launch(second);
    const { out } = await runInside(launched, "df -m --output=size . | tail -1; head -c 100M /dev/zero >big; echo $?");
    expect(Number(/^\s*(\d+)/.exec(out)?.[1])).toBeLessThanOrEqual(64);
    expect(out).toMatch(/No space left on device\n1\n$/);
    // Full, it can be kept and used all the same.
    await platform.compute.stop(second.instanceId, keepDisk);
    const third = onDisk(first);
    expect((await runInside(await platform.compute.launch(third), "rm big && cat d/file")).out).toBe("mine\n");
    await platform.compute.stop(third.instanceId);
  });

  it("is seen by nobody else, whose ids are others", async () => {
    const first = await stopped();
    const strangers = await Promise.all([1, 2, 3].map(() => platform.compute.launch(aRequest())));
    const second = await platform.compute.launch(onDisk(first));
    const owner = (await runInside(second, "cat /proc/self/uid_map", "agent")).out;
    for (const stranger of strangers) {
      expect((await runInside(stranger, "find / -name by-agent 2>/dev/null; ls -A")).out).toBe("");
      expect((await runInside(stranger, "cat /proc/self/uid_map", "agent")).out).not.toBe(owner);
    }
    for (const { instanceId } of await platform.compute.list()) await platform.compute.stop(instanceId);
    expect(await platform.compute.listDisks()).toEqual([]);
  });

  it("is not met by what ends instances, and goes when asked for", async () => {
    const first = await stopped();
    await platform.compute.stop(first.instanceId, keepDisk);
    await platform.compute.stop(first.instanceId);
    expect(await platform.compute.list()).toEqual([]);
    expect(traces(platform)).toEqual([]);
    expect(await platform.compute.listDisks()).toEqual([first.instanceId]);
    await platform.compute.removeDisk(first.instanceId);
    await platform.compute.removeDisk(first.instanceId);
    expect(await platform.compute.listDisks()).toEqual([]);
    expect(keptImages(platform)).toEqual([]);
    await expect(platform.compute.launch(onDisk(first))).rejects.toMatchObject({ code: "INTERNAL_ERROR" });
    expect(traces(platform)).toEqual([]);
  });

  it("serves one instance at a time, and ends with it where it ends by itself", async () => {
    const first = await stopped();
    const [second, third] = [onDisk(first), onDisk(first)];
    const results = await Promise.allSettled([platform.compute.launch(second), platform.compute.launch(third)]);
    expect(results.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    await platform.compute.removeDisk(first.instanceId);
    const [{ instanceId } = first] = await platform.compute.list();
    const launched = await platform.compute.launch({ ...second, instanceId });
    expect((await runInside(launched, "cat d/file")).out).toBe("mine\n");
    await ask(launched, "/exit", "3").catch(() => {});
    await eventually(() => traces(platform).length === 0);
    expect(await platform.compute.listDisks()).toEqual([]);
    expect(keptImages(platform)).toEqual([]);
  });

  it("is waited for while the instance before is still being ended", async () => {
    const first = aRequest();
    await runInside(await platform.compute.launch(first), "echo mine >file");
    const stopping = platform.compute.stop(first.instanceId, keepDisk);
    await new Promise((resolve) => setImmediate(resolve));
    const second = onDisk(first);
    expect((await runInside(await platform.compute.launch(second), "cat file")).out).toBe("mine\n");
    await stopping;
    await platform.compute.stop(second.instanceId);
    expect(await platform.compute.listDisks()).toEqual([]);
  });

  it("holds what processes were writing when they were killed", async () => {
    const first = aRequest({ disk_mb: 256 });
    const launched = await platform.compute.launch(first);
    const writer = "( while :; do cat /bin/bash >>big; mkdir -p $RANDOM/$RANDOM; done ) >/dev/null 2>&1 & ";
    await runInside(launched, `${writer}${writer} until [ -s big ]; do :; done`);
    await platform.compute.stop(first.instanceId, keepDisk);
    const image = `${platform.dataDir}/disks/kept/${first.instanceId}.img`;
    // Throws for whatever is to be mended.
    execFileSync("e2fsck", ["-f", "-n", image], { stdio: "pipe" });
    const second = onDisk(first);
    expect((await runInside(await platform.compute.launch(second), "test -s big && echo there")).out).toBe("there\n");
    await platform.compute.stop(second.instanceId);
  });

  it("is checked before it is mounted when its file system says so", async () => {
    const first = await stopped();
    const image = `${platform.dataDir}/disks/kept/${first.instanceId}.img`;
    // Not unmounted in order, and an error was met.
    execFileSync("debugfs", ["-w", "-R", "set_super_value state 2", image], { stdio: "pipe" });
    const second = onDisk(first);
    expect((await runInside(await platform.compute.launch(second), "cat d/file")).out).toBe("mine\n");
    await platform.compute.stop(second.instanceId, keepDisk);
    const file = openSync(image, "r+");
    writeSync(file, Buffer.alloc(1024 * 64, 0xff), 0, 1024 * 64, 1024);
    closeSync(file);
    await expect(platform.compute.launch(onDisk(first))).rejects.toMatchObject({ code: "SERVICE_UNAVAILABLE" });
    expect(await platform.compute.listDisks()).toEqual([first.instanceId]);
    await platform.compute.removeDisk(first.instanceId);
    expect(traces(platform)).toEqual([]);
  });

  it("stays kept when a launch on it fails, with its ids", async () => {
    let broken = false;
    const other = await aPlatform({
      host: platform.host,
      templates: () => {
        const binds = broken ? [{ source: "/nowhere/at/all", target: "/opt/part" }] : [];
        return { binds, env: {}, features: [] };
      },
    });
    const first = aRequest();
    await runInside(await other.compute.launch(first), "echo mine >file");
    await other.compute.stop(first.instanceId, keepDisk);
    broken = true;
    await expect(other.compute.launch(onDisk(first))).rejects.toMatchObject({ code: "SERVICE_UNAVAILABLE" });
    expect(await other.compute.listDisks()).toEqual([first.instanceId]);
    expect(traces(other)).toEqual([]);
    broken = false;
    // Before the disk is touched: the place of the instance's directory is taken.
    const blocked = onDisk(first);
    mkdirSync(`${other.runDir}/i/${blocked.instanceId}`);
    await expect(other.compute.launch(blocked)).rejects.toMatchObject({ code: "SERVICE_UNAVAILABLE" });
    rmdirSync(`${other.runDir}/i/${blocked.instanceId}`);
    expect(await other.compute.listDisks()).toEqual([first.instanceId]);
    const launched = await other.compute.launch(onDisk(first));
    expect((await runInside(launched, "cat file; echo more >>file; cat file")).out).toBe("mine\nmine\nmore\n");
    await other.remove();
    expect(traces(other)).toEqual([]);
  });

  it("is not kept while something on the host holds it, and says so", async () => {
    const first = aRequest();
    await platform.compute.launch(first);
    const holder = spawn("sleep", ["60"], { cwd: `${platform.runDir}/i/${first.instanceId}/ws`, stdio: "ignore" });
    await once(holder, "spawn");
    const stop = () => platform.compute.stop(first.instanceId, keepDisk);
    await expect(stop()).rejects.toMatchObject({ code: "SERVICE_UNAVAILABLE" });
    await expect(stop()).rejects.toMatchObject({ code: "SERVICE_UNAVAILABLE" });
    expect(await platform.compute.listDisks()).toEqual([]);
    expect(await platform.compute.list()).toMatchObject([{ instanceId: first.instanceId, state: "gone" }]);
    holder.kill("SIGKILL");
    await once(holder, "exit");
    await platform.compute.stop(first.instanceId);
    await eventually(() => traces(platform).length === 0);
    expect(await platform.compute.list()).toEqual([]);
  });

  it("is gone with the platform, however that ended", async () => {
    const first = await stopped();
    const image = `${platform.dataDir}/disks/kept/${first.instanceId}.img`;
    expect(statSync(`${platform.dataDir}/disks`).mode & 0o077).toBe(0);
    // What a start after kill -9 finds: nobody knows whose the disk was.
    const next = await aPlatform({ host: platform.host, dataDir: platform.dataDir });
    expect((await next.compute.start()).images).toBe(1);
    expect(existsSync(image)).toBe(false);
    await next.compute.closeAll();
    await platform.compute.removeDisk(first.instanceId);
  });

  it("goes when the platform closes", async () => {
    const other = await aPlatform({ host: platform.host });
    const [first, second] = [aRequest(), aRequest()];
    for (const request of [first, second]) {
      await other.compute.launch(request);
      await other.compute.stop(request.instanceId, keepDisk);
    }
    await other.compute.launch(onDisk(second));
    await other.compute.closeAll();
    expect(keptImages(other)).toEqual([]);
    expect(traces(other)).toEqual([]);
    await other.remove();
  });
});

describe("where a sandbox's files are in memory", () => {
  it("a stop that is to keep them is refused, and nothing has changed", async () => {
    const { host, ...platform } = await aPlatform();
    const inMemory = await aPlatform({ host: { ...host, diskTiers: ["tmpfs"] } });
    await platform.remove();
    const request = aRequest();
    const launched = await inMemory.compute.launch(request);
    const refused = inMemory.compute.stop(request.instanceId, keepDisk);
    await expect(refused).rejects.toMatchObject({ code: "INVALID_REQUEST" });
    expect((await runInside(launched, "echo alive")).out).toBe("alive\n");
    await inMemory.remove();
    expect(traces(inMemory)).toEqual([]);
  });
});
