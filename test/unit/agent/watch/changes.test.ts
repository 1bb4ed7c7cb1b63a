import { describe, expect, it } from "vitest";
import { type Identity, type RawEvent, readChanges, type Watched } from "#agent/watch/changes.ts";

const file = (inode: number, bornMs = inode): Identity => ({ inode, bornMs, directory: false });

/** One directory with `before` known and `now` standing in it. */
function changes(
  before: Readonly<Record<string, Identity>>,
  raw: readonly string[],
  now: Readonly<Record<string, Identity>>,
): { said: string[]; names: readonly string[] } {
  const directory: Watched = { path: "/w", names: new Map(Object.entries(before)) };
  const events = raw.map((text): RawEvent<Watched> => {
    const [kind, name = ""] = text.split(" ");
    return { directory, kind: kind === "change" ? "change" : "rename", name };
  });
  const found = readChanges(events, (_directory, name) => now[name]);
  const said = found.map(({ event, name, to }) => `${event} ${name}${to === undefined ? "" : ` to ${to.name}`}`);
  return { said, names: [...directory.names.keys()].sort() };
}

describe("what raw events mean", () => {
  it.each([
    ["a new file that is written", {}, ["rename a", "change a"], { a: file(1) }, ["created a", "modified a"]],
    ["a write to a known file", { a: file(1) }, ["change a", "change a"], { a: file(1) }, ["modified a", "modified a"]],
    ["a removal", { a: file(1) }, ["rename a"], {}, ["deleted a"]],
    ["a rename", { a: file(1) }, ["rename a", "rename b"], { b: file(1) }, ["renamed a to b", "created b"]],
    [
      "a rename over another file, as editors save",
      { tmp: file(2), a: file(1) },
      ["rename tmp", "rename a"],
      { a: file(2) },
      ["renamed tmp to a", "modified a"],
    ],
    [
      "a removal beside a new file",
      { a: file(1) },
      ["rename a", "rename b"],
      { b: file(2) },
      ["deleted a", "created b"],
    ],
    [
      "a file made anew with the inode number of the one before",
      { a: file(1, 10) },
      ["rename a", "rename a", "change a"],
      { a: file(1, 20) },
      ["deleted a", "created a", "modified a"],
    ],
    [
      "a file that came and went before anybody looked",
      {},
      ["rename a", "change a", "rename a"],
      {},
      ["created a", "modified a", "deleted a"],
    ],
    [
      "two renames in a row",
      { a: file(1) },
      ["rename a", "rename b", "rename b", "rename c"],
      { c: file(1) },
      ["renamed a to c", "created b", "deleted b", "created c"],
    ],
    ["a creation that was told already", { a: file(1) }, ["rename a"], { a: file(1) }, []],
    ["a write to a file that has no name any more", {}, ["change a"], {}, []],
  ])("%s", (_what, before, raw, now, said) => {
    const outcome = changes(before, raw, now);
    expect(outcome.said).toEqual(said);
    expect(outcome.names).toEqual(Object.keys(now).sort());
  });

  it("a rename into another directory", () => {
    const from: Watched = { path: "/w/a", names: new Map([["x", file(1)]]) };
    const to: Watched = { path: "/w/b", names: new Map() };
    const events = [from, to].map((directory): RawEvent<Watched> => ({ directory, kind: "rename", name: "x" }));
    const found = readChanges(events, (directory) => (directory === to ? file(1) : undefined));
    expect(found).toMatchObject([
      { directory: from, event: "renamed", to: { directory: to, name: "x" } },
      { directory: to, event: "created" },
    ]);
  });
});
