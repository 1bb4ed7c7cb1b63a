import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { PassThrough } from "node:stream";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { bwrapArgs } from "#local/compute/bwrap-args.ts";
import { checkRoom, defaultComputeLimits } from "#local/compute/capacity.ts";
import { makeCgroups } from "#local/compute/cgroups.ts";
import { enforcementOf, limitWrapper, requireEnforced } from "#local/compute/enforcement.ts";
import { exitOf } from "#local/compute/exit-cause.ts";
import { makeIdentityPool } from "#local/compute/identity.ts";
import { logLines } from "#local/compute/log-lines.ts";
import { mountPointsBelow } from "#local/compute/mounts.ts";
import { chooseRunDir, groupName } from "#local/compute/run-dir.ts";
import { sandboxSizes } from "#local/compute/sandbox-sizes.ts";
import type { HostFacts } from "#local/probe/facts.ts";

const host: HostFacts = {
  ...{ root: true, uid: 0, gid: 0, identityTiers: ["two-uid"], subIds: null, dropsLate: false, bubblewrap: null },
  ...{ cgroup: { kind: "none", why: "" }, diskTiers: ["ext4-image"], seccompFilter: "/f", problems: [], warnings: [] },
};

describe("makeIdentityPool", () => {
  it("never gives two live instances one id, never host ids of people, and reuses late", () => {
    const pool = makeIdentityPool(host);
    const first = pool.take();
    pool.giveBack(first);
    const ids = Array.from({ length: 300 }, () => pool.take()).flatMap((one) =>
      one.tier === "two-uid" ? [one.agentId, one.userId] : [],
    );
    expect(new Set(ids).size).toBe(600);
    expect(Math.min(...ids)).toBeGreaterThan(0x7000_0000);
  });

  it("runs out with a typed error", () => {
    const range = { first: 100_000, count: 1 };
    const pool = makeIdentityPool({ ...host, root: false, uid: 7, subIds: { uid: range, gid: range } });
    expect(pool.take()).toEqual({
      tier: "two-uid",
      agentId: 7,
      userId: 100_000,
      userGid: 100_000,
      byRoot: false,
      dropsLate: false,
    });
    expect(() => pool.take()).toThrow(expect.objectContaining({ code: "CAPACITY_EXHAUSTED" }));
  });
});

describe("bwrapArgs", () => {
  const view = {
    ...{
      canDisableUserns: true,
      systemLinks: [],
      etc: "/e",
      opt: "/o",
      tmpBytes: 1,
      shmBytes: 2,
      environment: { A: "b" },
    },
    ...{ binds: [{ source: "/s", target: "/opt/deep/part" }], workspace: { mounted: "/w" } },
  } as const;

  it("keeps few capabilities for an agent with its own uid, none for one without", () => {
    const two = bwrapArgs({ ...view, identity: makeIdentityPool(host).take() });
    expect(two.join(" ")).toContain("--cap-drop ALL --cap-add CAP_SETUID");
    expect(two).not.toContain("CAP_SYS_ADMIN");
    const one = bwrapArgs({ ...view, identity: { tier: "one-uid" } });
    expect(one).toContain("--disable-userns");
    expect(one).not.toContain("--cap-add");
    expect(bwrapArgs({ ...view, canDisableUserns: false, identity: { tier: "one-uid" } })).not.toContain(
      "--disable-userns",
    );
  });

  it("makes the root read-only after all mounts, and opens the parents of template parts", () => {
    const args = bwrapArgs({ ...view, identity: { tier: "one-uid" } });
    expect(args.lastIndexOf("--ro-bind")).toBeLessThan(args.lastIndexOf("--remount-ro"));
    expect(args.join(" ")).toContain("--dir /opt --dir /opt/deep");
    expect(args.slice(-4)).toEqual(["--clearenv", "--setenv", "A", "b"]);
  });
});

describe("limits", () => {
  const nothing = { enforced: () => null };

  it("names mechanisms, and refuses what nothing holds unless allowed", () => {
    const enforced = enforcementOf({ ...host, identityTiers: ["one-uid"], diskTiers: ["tmpfs"] }, nothing);
    expect(enforced).toEqual({
      cpu: "none",
      memory: "none",
      pids: "none",
      disk: "tmpfs",
      network: "netns",
      identity: "one-uid",
      syscalls: "seccomp",
    });
    expect(() => requireEnforced(enforced, false)).toThrow(/cpu, memory, pids.*--allow-unenforced/);
    expect(() => requireEnforced(enforced, true)).not.toThrow();
    expect(() => requireEnforced(enforcementOf({ ...host, identityTiers: [] }, nothing), true)).toThrow(
      /bulkhead doctor/,
    );
  });

  it("adds per-process limits only where cgroups are missing", () => {
    const wrap = { pids: 9, memoryBytes: 5 };
    expect(limitWrapper(enforcementOf(host, nothing), wrap)).toEqual([
      "/usr/bin/prlimit",
      "--nproc=9",
      "--data=5",
      "--",
    ]);
    expect(limitWrapper(enforcementOf(host, { enforced: () => "cgroup-v2" }), wrap)).toEqual([]);
  });

  it.each(["ext4-image", "tmpfs"] as const)("keeps writable memory below the limit (%s)", (disk) => {
    const sizes = sandboxSizes({ vcpu: 1, memory_mb: 128, disk_mb: 4096 }, disk);
    const sum = sizes.tmpBytes + sizes.shmBytes + (disk === "tmpfs" ? sizes.workspaceBytes : 0);
    expect(sum).toBeLessThan(sizes.memoryBytes * 0.8);
  });

  it.each([
    [{ freeMemoryMb: 1 }, 0, /memory/],
    [{ freeDiskMb: 1 }, 0, /disk/],
    [{ freeTasks: 1 }, 0, /processes/],
    [{}, 400, /400 instances/],
  ])("refuses on a full host %j", (change, live, message) => {
    const room = { freeMemoryMb: 9e9, freeDiskMb: 9e9, freeTasks: 9e9, ...change };
    expect(() => checkRoom(room, live, defaultComputeLimits)).toThrow(message);
    expect(() =>
      checkRoom({ ...room, freeMemoryMb: 9e9, freeDiskMb: 9e9, freeTasks: 9e9 }, 1, defaultComputeLimits),
    ).not.toThrow();
  });
});

describe("exitOf", () => {
  it.each([
    [{ code: 80, signal: null }, 0, "timeout"],
    [{ code: 81, signal: null }, 3, "idle"],
    [{ code: 82, signal: null }, 0, "lifetime"],
    [{ code: 137, signal: null }, 1, "out_of_memory"],
    [{ code: 134, signal: null }, 1, "out_of_memory"],
    [{ code: 137, signal: null }, 0, "task_failed"],
    [{ code: null, signal: "SIGKILL" }, 0, "task_failed"],
    [{ code: 1, signal: null }, 2, "task_failed"],
  ] as const)("%j with %d kills is %s", (exit, kills, cause) => expect(exitOf("i", exit, kills).cause).toBe(cause));
});

describe("places", () => {
  it("finds mounts below a directory, innermost first, with spaces in names", () => {
    const text = [
      "1 0 8:1 / /run/b rw - ext4 a rw",
      "2 1 8:1 / /run/b/i/x\\040y rw - ext4 a rw",
      "3 2 8:1 / /run/b/i/x\\040y/z rw - a b c",
    ];
    expect(mountPointsBelow(text.join("\n"), "/run/b")).toEqual(["/run/b/i/x y/z", "/run/b/i/x y"]);
  });

  it("keeps socket paths short", () => {
    expect(chooseRunDir({ root: true, uid: 0, dataDir: "/x".repeat(90) })).toMatch(/^\/run\/bulkhead\/[0-9a-f]{10}$/);
    expect(chooseRunDir({ root: false, uid: 5, dataDir: "/x".repeat(90) })).toBe(
      `/tmp/${groupName("/x".repeat(90))}-5`,
    );
    expect(chooseRunDir({ root: false, uid: 5, dataDir: "/d", xdgRuntimeDir: "/nowhere" })).toBe("/d/run");
  });
});

describe("makeCgroups on a plain directory in place of the kernel's", () => {
  let directory = "";
  beforeEach(() => {
    directory = mkdtempSync("/tmp/bh-cgroup-");
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));
  const limits = { memoryBytes: 1 << 20, vcpu: 2, pids: 9 };
  const read = (path: string): string => readFileSync(`${directory}/${path}`, "utf8");

  it("writes the limits of v2", async () => {
    const cgroups = makeCgroups({ kind: "v2", parent: directory, controllers: ["memory", "pids", "cpu"] }, "g");
    await cgroups.create("one", limits);
    await cgroups.join("one", 42);
    expect([read("g/one/memory.max"), read("g/one/cpu.max"), read("g/one/pids.max")]).toEqual([
      "1048576",
      "200000 100000",
      "9",
    ]);
    expect(read("g/cgroup.subtree_control")).toBe("+memory +pids +cpu");
    expect(cgroups.members("one")).toEqual([42]);
    expect(cgroups.list()).toEqual(["one"]);
    writeFileSync(`${directory}/g/one/memory.events`, "low 0\noom 3\noom_kill 2\n");
    expect(cgroups.oomKills("one")).toBe(2);
    expect(cgroups.enforced("cpu")).toBe("cgroup-v2");
  });

  it("writes the limits of v1, each to its own hierarchy", async () => {
    for (const name of ["m", "c", "p"]) mkdirSync(`${directory}/${name}`);
    const parents = { memory: `${directory}/m`, cpu: `${directory}/c` };
    const cgroups = makeCgroups({ kind: "v1", parents }, "g");
    await cgroups.create("one", limits);
    expect([read("m/g/one/memory.limit_in_bytes"), read("c/g/one/cpu.cfs_quota_us")]).toEqual(["1048576", "200000"]);
    expect([cgroups.enforced("memory"), cgroups.enforced("pids")]).toEqual(["cgroup-v1", null]);
    expect(cgroups.oomKills("one")).toBe(0);
  });
});

describe("logLines", () => {
  it("cuts long lines and drops floods", async () => {
    const stream = new PassThrough();
    const lines: string[] = [];
    logLines(stream, (line) => lines.push(line), 2);
    stream.end(`${"x".repeat(5000)}\nb\nc\nd`);
    await new Promise((resolve) => stream.once("close", resolve));
    expect(lines.map((line) => line.length)).toEqual([2000, 1]);
  });
});
