import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { AgentClock } from "#agent/clock.ts";
import { type DiskMeter, makeDiskMeter } from "#agent/disk-meter.ts";
import { measure } from "#agent/disk-usage.ts";
import { systemError } from "#agent/files/errors.ts";
import { type Logger, noopLogger } from "#telemetry/logger.ts";

const mb = 1024 * 1024;
let root = "";

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "bulkhead-disk-"));
});
// Not rmSync, which takes no path longer than a system call does.
afterEach(() => void execFileSync("rm", ["-rf", root]));

const write = (name: string, megabytes: number) => writeFileSync(join(root, name), Buffer.alloc(megabytes * mb, 1));
const megabytes = async () => Math.round((await measure(root)) / mb);

describe("what a tree occupies", () => {
  it("counts files in every directory, more of them than are asked for at once", async () => {
    mkdirSync(join(root, "a/b"), { recursive: true });
    for (let index = 0; index < 100; index += 1) writeFileSync(join(root, "a/b", `f${index}`), Buffer.alloc(65_536, 1));
    write("top", 2);
    expect(await measure(root)).toBeGreaterThanOrEqual(100 * 65_536 + 2 * mb);
    expect(await measure(root)).toBeLessThan(100 * 65_536 + 3 * mb);
  });

  it("counts a file with two names once, a link not at all, a hole as nothing", async () => {
    write("file", 4);
    linkSync(join(root, "file"), join(root, "again"));
    symlinkSync("/usr", join(root, "elsewhere"));
    const hole = join(root, "hole");
    writeFileSync(hole, "");
    truncateSync(hole, 500 * mb);
    expect(await megabytes()).toBe(4);
  });

  it("cannot be hidden by names that are no text", async () => {
    const odd = Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0xff, 0xfe])]);
    mkdirSync(odd);
    writeFileSync(Buffer.concat([odd, Buffer.from([0x2f, 0xc3])]), Buffer.alloc(3 * mb, 1));
    writeFileSync(Buffer.concat([odd, Buffer.from(".file")]), Buffer.alloc(2 * mb, 1));
    expect(await megabytes()).toBe(5);
  });

  it("cannot be hidden deeper than a path can name", async () => {
    const script = [
      "import os, sys",
      "os.chdir(sys.argv[1])",
      "for _ in range(45): os.mkdir('d' * 200); os.chdir('d' * 200)",
      "open('file', 'wb').write(b'x' * (3 << 20))",
    ];
    execFileSync("python3", ["-c", script.join("\n"), root]);
    expect(await megabytes()).toBe(3);
    expect(readdirSync("/proc/self/fd").length).toBeLessThan(200);
  });

  it("is that of the directory a root leads to", async () => {
    mkdirSync(join(root, "real"));
    write("real/file", 2);
    symlinkSync("real", join(root, "link"));
    expect(Math.round((await measure(join(root, "link"))) / mb)).toBe(2);
  });

  it("is nothing for a directory that is gone", async () => {
    expect(await measure(join(root, "gone"))).toBe(0);
  });

  it.runIf(process.getuid?.() === 0)(
    "cannot be hidden by closing a directory, for one who is only its owner",
    async () => {
      const closed = join(root, "closed");
      const listed = join(root, "listed");
      for (const directory of [closed, listed]) mkdirSync(directory);
      write("closed/file", 3);
      write("listed/file", 2);
      for (const path of [root, closed, listed]) chownSync(path, 65_534, 65_534);
      chmodSync(closed, 0);
      // Its names may be read, but nothing about them.
      chmodSync(listed, 0o400);
      process.seteuid?.(65_534);
      try {
        expect(await megabytes()).toBe(5);
      } finally {
        process.seteuid?.(0);
      }
      expect(statSync(closed).mode & 0o777).toBe(0o700);
    },
  );
});

describe("the disk meter", () => {
  const timers: { delayMs: number; callback: () => void }[] = [];
  let now = 0;
  const clock: AgentClock = {
    now: () => now,
    after(delayMs, callback) {
      timers.push({ delayMs, callback });
      return () => {};
    },
  };
  let overruns = 0;
  let instead: Promise<number> | undefined;
  const use = (path: string) => instead ?? measure(path);
  const failures: string[] = [];
  const logger: Logger = { ...noopLogger, warn: (message) => void failures.push(message) };

  beforeEach(() => {
    failures.length = 0;
    instead = undefined;
    timers.length = 0;
    now = 0;
    overruns = 0;
  });

  /** After its first measurement. */
  async function start(limitMb: number): Promise<DiskMeter> {
    const meter = makeDiskMeter({ root, limitMb, clock, logger, onOverrun: () => (overruns += 1), use });
    await measured(1);
    return meter;
  }

  /** Until so many rounds have ended: each plans the next. */
  async function measured(count: number): Promise<void> {
    const giveUpAt = Date.now() + 5_000;
    while (timers.length < count && Date.now() < giveUpAt) await new Promise((done) => setImmediate(done));
  }

  it("lets in what fits, and counts what is being written and not yet seen", async () => {
    write("file", 4);
    const meter = await start(10);
    await meter.withRoom(5 * mb, async () => {
      await expect(meter.withRoom(5 * mb, () => "written")).rejects.toThrow("disk full: 9 MB of 10 MB");
    });
    expect(await meter.withRoom(5 * mb, () => "written")).toBe("written");
  });

  it("refuses as a full disk does, and lets in again as soon as there is room, without waiting for its round", async () => {
    write("file", 9);
    const meter = await start(10);
    await expect(meter.withRoom(2 * mb, () => "written")).rejects.toMatchObject({
      code: "FILE_OPERATION_FAILED",
      status: 422,
      details: { limit_mb: 10 },
    });
    rmSync(join(root, "file"));
    expect(await meter.withRoom(2 * mb, () => "written")).toBe("written");
    expect(meter.usedBytes()).toBeLessThan(mb);
  });

  it("sees at its next round what was written past it", async () => {
    const meter = await start(10);
    write("file", 12);
    timers[0]?.callback();
    await measured(2);
    await expect(meter.withRoom(0, () => "written")).rejects.toThrow("disk full: 12 MB of 10 MB");
    expect(overruns).toBe(0);
  });

  it("ends the instance when that is far more than allowed", async () => {
    await start(2);
    write("file", 4);
    timers[0]?.callback();
    await measured(2);
    expect(overruns).toBe(1);
  });

  it("goes on measuring after a measurement that failed, and holds to what it knew", async () => {
    write("file", 9);
    const meter = await start(10);
    instead = Promise.reject(systemError("EIO"));
    timers[0]?.callback();
    await measured(2);
    expect(failures).toEqual(["the disk's use could not be measured"]);
    await expect(meter.withRoom(2 * mb, () => "written")).rejects.toThrow("disk full: 9 MB of 10 MB");
    instead = undefined;
    rmSync(join(root, "file"));
    expect(await meter.withRoom(2 * mb, () => "written")).toBe("written");
  });

  it("lets nobody wait longer than half a minute for a slow measurement", async () => {
    write("file", 9);
    const meter = await start(10);
    // Takes for ever, as on a file server that hangs: a measurement that never ends is under way.
    instead = new Promise(() => {});
    timers[0]?.callback();
    const refused = meter.withRoom(2 * mb, () => "written").catch((error: unknown) => error);
    await measured(2);
    expect(timers[1]?.delayMs).toBe(30_000);
    timers[1]?.callback();
    expect(await refused).toMatchObject({ code: "FILE_OPERATION_FAILED", details: { used_mb: 9 } });
    expect(await meter.withRoom(mb / 2, () => "written")).toBe("written");
  });

  it("measures every ten seconds, a tree that takes long less often", async () => {
    await start(10);
    expect(timers[0]?.delayMs).toBe(10_000);
    timers[0]?.callback();
    now += 4_000;
    await measured(2);
    expect(timers[1]?.delayMs).toBe(36_000);
    timers[1]?.callback();
    now += 60_000;
    await measured(3);
    expect(timers[2]?.delayMs).toBe(120_000);
  });
});
