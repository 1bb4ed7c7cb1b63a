import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { eachOf } from "#cli/copy/each.ts";
import { localTree } from "#cli/copy/local-tree.ts";
import { parseFileOption, parsePlace, staysBelow } from "#cli/copy/paths.ts";
import { bytesText, makeProgress, progressLine } from "#cli/copy/progress.ts";
import { makeReader } from "#cli/copy/remote-tree.ts";
import { exitCodes } from "#cli/failure.ts";

describe("places of bulkhead cp", () => {
  it.each([
    ["1763382095i648uu1oab:/tmp/x", "/tmp/x", false],
    ["1763382095i648uu1oab:", "/workspace", true],
    ["1763382095i648uu1oab:a b/", "/workspace/a b", true],
    ["1763382095i648uu1oab:a:b\nc", "/workspace/a:b\nc", false],
  ])("%j is in the sandbox", (text, path, intoDirectory) => {
    expect(parsePlace(text)).toEqual({ kind: "remote", sandboxId: "1763382095i648uu1oab", path, intoDirectory });
  });

  it.each(["data.csv", "./a:b", "/x/a:b", "../a:b", "a b:c"])("%j is here", (path) => {
    expect(parsePlace(path)).toEqual({ kind: "local", path });
  });

  it("reads --file", () => {
    expect(parseFileOption("dir/data.csv")).toEqual({ local: "dir/data.csv", remote: "/workspace/data.csv" });
    expect(parseFileOption("a:b:/tmp/c")).toEqual({ local: "a:b", remote: "/tmp/c" });
    expect(() => parseFileOption("a:")).toThrow(expect.objectContaining({ exitCode: exitCodes.usage }));
  });

  it("tells paths that lead out of the target", () => {
    for (const bad of ["..", "../x", "a/../../x", "/etc", "a//b", ".", "a/./b", "a\u0000b"])
      expect(staysBelow(bad)).toBe(false);
    for (const good of ["a", "a b/c\nd", "..a", "a..", "..."]) expect(staysBelow(good)).toBe(true);
  });
});

describe("the listing of a sandbox's directory", () => {
  const fields = [
    "d",
    "755",
    "4096",
    "a b",
    "f",
    "644",
    "12",
    "a b/new\nline",
    "l",
    "777",
    "4",
    "link",
    "f",
    "4755",
    "1",
    "set",
    "",
  ].join("\0");

  it("is read wherever it is cut", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(fields.length), { maxLength: 8 }), (cuts) => {
        const reader = makeReader();
        let from = 0;
        for (const cut of [...cuts.sort((a, b) => a - b), fields.length]) {
          reader.add(fields.slice(from, cut));
          from = cut;
        }
        expect(reader.entries).toEqual([
          { relative: "a b", directory: true, size: 0, mode: 0o755 },
          { relative: "a b/new\nline", directory: false, size: 12, mode: 0o644 },
          { relative: "set", directory: false, size: 1, mode: 0o755 },
        ]);
        expect(reader.skipped).toEqual(["link"]);
      }),
    );
  });

  it("is refused when it leads out of the target", () => {
    expect(() => makeReader().add(["f", "644", "1", "../../.bashrc", ""].join("\0"))).toThrow(/leads out/);
  });
});

describe("a local tree", () => {
  it("has no links in it", async () => {
    const root = await mkdtemp(join(tmpdir(), "bulkhead-cli-"));
    try {
      await mkdir(join(root, "sub dir"));
      await writeFile(join(root, "sub dir", "new\nline"), "abc", { mode: 0o640 });
      await symlink("/etc", join(root, "out"));
      await symlink(".", join(root, "loop"));
      const tree = await localTree(root);
      expect(tree.entries.map(({ relative, size }) => [relative, size])).toEqual([
        ["sub dir", 0],
        ["sub dir/new\nline", 3],
      ]);
      expect([...tree.skipped].sort()).toEqual(["loop", "out"]);
    } finally {
      await rm(root, { recursive: true });
    }
  });

  it("says what is not there", async () => {
    await expect(localTree("/nonexistent/x")).rejects.toMatchObject({ exitCode: exitCodes.notFound });
  });
});

describe("progress", () => {
  it.each([
    [0, "0 B"],
    [999, "999 B"],
    [1000, "1.0 kB"],
    [9949, "9.9 kB"],
    [9960, "10 kB"],
    [999_600, "1.0 MB"],
    [1_073_741_824, "1.1 GB"],
  ])("%d bytes are %s", (bytes, text) => {
    expect(bytesText(bytes)).toBe(text);
  });

  it("shows bytes, share and rate", () => {
    const line = progressLine({ name: "plan.txt", bytes: 5e6, total: 2e7, elapsedMs: 2000, width: 80 });
    expect(line).toBe("plan.txt  5.0 MB of 20 MB  25%  2.5 MB/s");
  });

  it("never grows over the line, and hides what would drive the terminal", () => {
    fc.assert(
      fc.property(
        fc.string(),
        fc.nat(),
        fc.nat(),
        fc.nat(),
        fc.integer({ min: 1, max: 200 }),
        (name, bytes, total, elapsedMs, width) => {
          const line = progressLine({ name, bytes, total, elapsedMs, width });
          expect(line.length).toBeLessThan(Math.max(width, 1));
          // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
          expect(line).not.toMatch(/[\u0000-\u001f\u007f]/);
        },
      ),
    );
  });

  it("draws ten times a second at most, and takes its line away", () => {
    let now = 0;
    const drawn: string[] = [];
    const output = {
      out: () => {},
      err: () => {},
      raw: (_: string, text: string) => void drawn.push(text),
      terminal: { stdout: true, stderr: true },
      width: () => 60,
    } as const;
    const progress = makeProgress(output, () => now, 1000);
    progress.file("a");
    for (let step = 0; step < 100; step += 1) {
      now += 10;
      progress.add(10);
    }
    progress.end();
    expect(drawn.length).toBe(12);
    expect(drawn.at(-2)).toContain("1.0 kB of 1.0 kB  100%");
    expect(drawn.at(-1)).toBe("\r\x1b[K");
  });
});

describe("a few at a time", () => {
  it("stops after a failure, when what had begun has ended", async () => {
    const begun: number[] = [];
    const ended: number[] = [];
    const work = async (one: number) => {
      begun.push(one);
      await Promise.resolve();
      if (one === 1) throw new Error("one failed");
      await new Promise((resolve) => setImmediate(resolve));
      ended.push(one);
    };
    await expect(eachOf([0, 1, 2, 3, 4, 5, 6, 7], 2, work)).rejects.toThrow("one failed");
    expect(begun.length).toBeLessThan(8);
    expect(ended).toEqual(begun.filter((one) => one !== 1));
  });
});
