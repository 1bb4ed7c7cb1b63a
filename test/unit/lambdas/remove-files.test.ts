import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { removeFiles } from "../../../lambdas/janitor/remove-files.ts";

const id = "iabcdefghijklmnop";
const other = "iqrstuvwxyzabcdef";
const never = () => false;

let root = "";
let mount = "";
/** What must survive whatever a sandbox left. */
let precious = "";
beforeEach(() => {
  root = mkdtempSync("/tmp/bh-janitor-");
  mount = join(root, "mnt");
  precious = join(root, "precious");
  mkdirSync(join(mount, "instances"), { recursive: true });
  mkdirSync(precious);
  writeFileSync(join(precious, "file"), "kept");
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function instanceDirectory(instanceId = id): string {
  const path = join(mount, "instances", instanceId);
  mkdirSync(path, { recursive: true });
  return path;
}

function expectPreciousKept(): void {
  expect(readdirSync(precious)).toEqual(["file"]);
  expect(lstatSync(join(precious, "file")).size).toBe(4);
}

describe("removeFiles", () => {
  it("removes an instance's directory and no other's", async () => {
    const own = instanceDirectory();
    mkdirSync(join(own, "a/b/c"), { recursive: true });
    for (const path of ["x", "a/y", "a/b/c/z", ".hidden"]) writeFileSync(join(own, path), "data");
    writeFileSync(join(instanceDirectory(other), "kept"), "");
    expect(await removeFiles({ mount, expired: never }, [id])).toEqual({ removed: [id], left: [] });
    expect(readdirSync(join(mount, "instances"))).toEqual([other]);
    expect(readdirSync(join(mount, "instances", other))).toEqual(["kept"]);
  });

  it("succeeds when there is nothing, and when it is repeated", async () => {
    instanceDirectory();
    for (let turn = 0; turn < 2; turn += 1) {
      expect(await removeFiles({ mount, expired: never }, [id, other])).toEqual({ removed: [id, other], left: [] });
    }
    rmSync(join(mount, "instances"), { recursive: true });
    expect(await removeFiles({ mount, expired: never }, [id])).toEqual({ removed: [id], left: [] });
  });

  it("unlinks links and follows none, wherever they lead and whatever they are called", async () => {
    const own = instanceDirectory();
    mkdirSync(join(own, "deep"));
    symlinkSync(precious, join(own, "absolute"));
    symlinkSync("../../../precious", join(own, "relative"));
    symlinkSync("../../../../precious", join(own, "deep", "relative"));
    symlinkSync(join(precious, "file"), join(own, "to-file"));
    symlinkSync("/", join(own, "root"));
    symlinkSync(".", join(own, "loop"));
    symlinkSync("loop", join(own, "loop2"));
    symlinkSync("/nowhere", join(own, "dangling"));
    expect(await removeFiles({ mount, expired: never }, [id])).toEqual({ removed: [id], left: [] });
    expect(existsSync(own)).toBe(false);
    expectPreciousKept();
  });

  it("touches nothing behind a link that stands in place of an instance's directory", async () => {
    symlinkSync(precious, join(mount, "instances", id));
    const answer = await removeFiles({ mount, expired: never }, [id]);
    expect(answer.removed).toEqual([]);
    expect(answer.left).toMatchObject([{ instanceId: id, why: expect.stringMatching(/ELOOP|ENOTDIR/) as string }]);
    expectPreciousKept();
  });

  it("refuses to work when the directory of all instances is a link", async () => {
    rmSync(join(mount, "instances"), { recursive: true });
    mkdirSync(join(precious, id));
    symlinkSync(precious, join(mount, "instances"));
    await expect(removeFiles({ mount, expired: never }, [id])).rejects.toThrow();
    expect(existsSync(join(precious, id))).toBe(true);
  });

  it.each(["..", ".", "", "../../precious", `${id}/..`, "/etc", `${id}\n`, `i${"A".repeat(16)}`])(
    "refuses %j as an id",
    async (name) => {
      instanceDirectory();
      const answer = await removeFiles({ mount, expired: never }, [name]);
      expect(answer).toEqual({ removed: [], left: [{ instanceId: name, why: "not an instance id" }] });
      expect(existsSync(join(mount, "instances", id))).toBe(true);
      expectPreciousKept();
    },
  );

  it("removes names that are no text, or look like options, paths or our own", async () => {
    const own = Buffer.from(`${instanceDirectory()}/`);
    const names = [
      Buffer.from([0xff, 0xfe, 0x80]),
      Buffer.from("-rf *"),
      Buffer.from("new\nline"),
      Buffer.from("é€𝄞"),
      Buffer.from(" "),
    ];
    for (const name of names) {
      mkdirSync(Buffer.concat([own, name]));
      writeFileSync(Buffer.concat([own, name, Buffer.from("/"), name]), "");
    }
    expect(await removeFiles({ mount, expired: never }, [id])).toEqual({ removed: [id], left: [] });
    expect(readdirSync(join(mount, "instances"))).toEqual([]);
  });

  it("removes a tree that is deeper than any path may be long", async () => {
    const before = process.cwd();
    process.chdir(instanceDirectory());
    const name = "d".repeat(200);
    try {
      // 100 × 201 characters; Linux ends a path at 4,096.
      for (let depth = 0; depth < 100; depth += 1) {
        mkdirSync(name);
        writeFileSync("file", "");
        process.chdir(name);
      }
    } finally {
      process.chdir(before);
    }
    expect(await removeFiles({ mount, expired: never }, [id])).toEqual({ removed: [id], left: [] });
    expect(readdirSync(join(mount, "instances"))).toEqual([]);
  });

  it("removes more entries than it reads at once, and directories without rights", async () => {
    const own = instanceDirectory();
    for (let index = 0; index < 500; index += 1) writeFileSync(join(own, `file-${index}`), "");
    for (let index = 0; index < 150; index += 1)
      mkdirSync(join(own, `directory-${index}`, "inner"), { recursive: true });
    // Root may look into it all the same, as the janitor is on the file system; for anybody else it is not closed.
    if (process.getuid?.() === 0) chmodSync(join(own, "directory-7"), 0);
    expect(await removeFiles({ mount, expired: never }, [id])).toEqual({ removed: [id], left: [] });
  });

  it("stops in time, says what is left, and the next call takes on from there", async () => {
    const own = instanceDirectory();
    for (let index = 0; index < 40; index += 1) mkdirSync(join(own, `${index}`, "a", "b"), { recursive: true });
    instanceDirectory(other);
    const count = () => readdirSync(own, { recursive: true }).length;
    let left = count();
    for (let turns = 0; existsSync(own); turns += 1) {
      expect(turns).toBeLessThan(20);
      let looks = 0;
      const expired = () => {
        looks += 1;
        return looks > 12;
      };
      const answer = await removeFiles({ mount, expired }, [id, other]);
      if (!existsSync(own)) break;
      expect(answer.removed).not.toContain(id);
      expect(answer.left).toContainEqual({ instanceId: id, why: "out of time" });
      expect(count()).toBeLessThan(left);
      left = count();
    }
    expect(await removeFiles({ mount, expired: never }, [id, other])).toEqual({ removed: [id, other], left: [] });
  });
});
