import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { makeLocalSecretStore } from "#local/secrets/secret-store.ts";
import { makeLocalVault } from "#local/vault.ts";

const canary = "canary-8d2b";
const closed = { code: "INTERNAL_ERROR" };

let root = "";
let now = 1_000;
beforeEach(() => {
  root = mkdtempSync("/tmp/bh-secrets-");
  now = 1_000;
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** As after a start of the platform. */
function openStore(keyFile = join(root, "vault-key")) {
  const clock = { now: () => now };
  return makeLocalSecretStore({ directory: join(root, "secrets"), vault: makeLocalVault({ keyFile }), clock });
}

/** Every file and directory of the store, from its root. */
function paths(kind: "file" | "directory"): string[] {
  return readdirSync(join(root, "secrets"), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isDirectory() === (kind === "directory"))
    .map((entry) => join(entry.parentPath, entry.name));
}

function onlyFile(): string {
  const [path, ...more] = paths("file");
  if (path === undefined || more.length > 0) throw new Error("not exactly one file");
  return path;
}

describe("secrets of one machine", () => {
  it("come back after a restart, replaced ones with a new version", async () => {
    expect(await openStore().put("p1", "team/github", "old")).toEqual({
      ...{ name: "team/github", version: 1, createdAt: 1_000, updatedAt: 1_000 },
    });
    now = 2_000;
    const replaced = { name: "team/github", version: 2, createdAt: 1_000, updatedAt: 2_000 };
    expect(await openStore().put("p1", "team/github", canary)).toEqual(replaced);
    expect(await openStore().read("p1", "team/github")).toBe(canary);
    expect(await openStore().list("p1")).toEqual([replaced]);
  });

  it.each(["a\nb\r\n", " ", "žluťoučký 🐎", "v".repeat(64 * 1024)])("come back as they were: %#", async (value) => {
    await openStore().put("p1", "a", value);
    expect(await openStore().read("p1", "a")).toBe(value);
  });

  it.each(["..", ".", "../../vault-key", "/etc/passwd", "a//b", "A", "__proto__", "=".repeat(256)])(
    "may be called %j, and stay in their directory",
    async (name) => {
      const store = openStore();
      await store.put("../p1", name, canary);
      expect(await store.read("../p1", name)).toBe(canary);
      expect(readdirSync(root).toSorted()).toEqual(["secrets", "vault-key"]);
      expect(paths("file")).toHaveLength(1);
    },
  );

  it("are their project's alone", async () => {
    const store = openStore();
    await store.put("p1", "a", canary);
    expect(await store.read("p2", "a")).toBeUndefined();
    expect(await store.list("p2")).toEqual([]);
    expect(await store.remove("p2", "a")).toBe(false);
    expect(await store.read("p1", "a")).toBe(canary);
  });

  it("are listed by name, and gone once removed", async () => {
    const store = openStore();
    for (const name of ["b", "a", "C"]) await store.put("p1", name, "v");
    expect((await store.list("p1")).map(({ name }) => name)).toEqual(["C", "a", "b"]);
    expect(await store.remove("p1", "b")).toBe(true);
    expect(await store.remove("p1", "b")).toBe(false);
    expect(await store.read("p1", "b")).toBeUndefined();
    expect((await store.list("p1")).map(({ name }) => name)).toEqual(["C", "a"]);
  });

  it("lie on disk sealed, for their owner only, and leave nothing else there", async () => {
    const store = openStore();
    await store.put("p1", "a", canary);
    await store.put("p1", "a", `${canary}-2`);
    expect(readFileSync(onlyFile(), "latin1")).not.toContain(canary);
    const decoded = Buffer.from(readFileSync(onlyFile(), "utf8"), "base64url").toString("latin1");
    expect(decoded).not.toContain(canary);
    expect(statSync(onlyFile()).mode & 0o777).toBe(0o600);
    for (const path of paths("directory")) expect(statSync(path).mode & 0o777).toBe(0o700);
  });
});

describe("a secret's file", () => {
  it("cannot be opened in another project's place, nor under another name", async () => {
    const store = openStore();
    await store.put("p1", "a", canary);
    const own = onlyFile();
    await store.put("p2", "a", "other");
    await store.put("p1", "b", "other");
    for (const path of paths("file").filter((other) => other !== own)) copyFileSync(own, path);
    await expect(store.read("p2", "a")).rejects.toMatchObject(closed);
    await expect(store.read("p1", "b")).rejects.toMatchObject(closed);
    expect(await store.read("p1", "a")).toBe(canary);
  });

  it("cannot be opened once it was changed, nor with another machine's key", async () => {
    const store = openStore();
    await store.put("p1", "a", canary);
    await expect(openStore(join(root, "other-key")).read("p1", "a")).rejects.toMatchObject(closed);
    const text = readFileSync(onlyFile(), "utf8");
    const at = text.lastIndexOf(".") + 10;
    writeFileSync(onlyFile(), `${text.slice(0, at)}${text[at] === "A" ? "B" : "A"}${text.slice(at + 1)}`);
    await expect(store.read("p1", "a")).rejects.toMatchObject(closed);
    // Putting it again makes it whole.
    await store.put("p1", "a", canary);
    expect(await store.read("p1", "a")).toBe(canary);
  });

  it("of a write that was cut off changes nothing", async () => {
    const store = openStore();
    await store.put("p1", "a", canary);
    writeFileSync(`${onlyFile()}.1.new`, '{"name":');
    expect(await store.read("p1", "a")).toBe(canary);
    expect(await store.list("p1")).toHaveLength(1);
  });

  it("that is damaged hides none of the others, and is put or removed as any other", async () => {
    const store = openStore();
    await store.put("p1", "a", canary);
    const path = onlyFile();
    await store.put("p1", "b", canary);
    for (const text of ["", "{}", `"${canary}`]) {
      writeFileSync(path, text);
      await expect(store.read("p1", "a")).rejects.toMatchObject(closed);
      await expect(store.read("p1", "a")).rejects.not.toThrow(canary);
      expect((await store.list("p1")).map(({ name }) => name)).toEqual(["b"]);
      expect(await store.put("p1", "a", canary)).toMatchObject({ version: 1 });
    }
    writeFileSync(path, "");
    expect(await store.remove("p1", "a")).toBe(true);
  });
});

it("takes changes that come at once one after another", async () => {
  const store = openStore();
  const put = await Promise.all(["a", "b", "c"].map((value) => store.put("p1", "same", value)));
  expect(put.map(({ version }) => version)).toEqual([1, 2, 3]);
  expect(await store.read("p1", "same")).toBe("c");
  expect(await Promise.all([store.remove("p1", "same"), store.remove("p1", "same")])).toEqual([true, false]);
});

it("refuses one too many, and replaces at the limit", async () => {
  const store = openStore();
  await store.put("p1", "a", "v");
  const text = readFileSync(onlyFile(), "utf8");
  const directory = join(onlyFile(), "..");
  mkdirSync(directory, { recursive: true });
  for (let index = 1; index < 1_000; index++) writeFileSync(join(directory, `${index}.json`), text);
  await expect(store.put("p1", "one-more", "v")).rejects.toMatchObject({ code: "RESOURCE_LIMIT_ERROR" });
  expect(await store.put("p1", "a", "w")).toMatchObject({ version: 2 });
  expect(await store.put("p2", "one-more", "v")).toMatchObject({ version: 1 });
});
