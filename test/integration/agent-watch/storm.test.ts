import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { makeConfinement } from "#agent/files/confinement.ts";
import { type BudgetLimits, makeBudget } from "#agent/watch/budget.ts";
import { makeInotify } from "#agent/watch/inotify.ts";
import { type Tree, watchTree } from "#agent/watch/tree.ts";
import { BulkheadError } from "#contracts/errors.ts";
import { until } from "../agent/agent-process.ts";

let root: string;
let tree: Tree | undefined;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "bulkhead-storm-"));
});
afterEach(() => {
  tree?.close();
  rmSync(root, { recursive: true });
});

function watch(stormSize: number, limits: Partial<BudgetLimits> = {}) {
  const all = { sockets: 1, directories: 10, names: 1000, ...limits };
  const budget = makeBudget(all);
  const told: string[] = [];
  const errors: unknown[] = [];
  const ends: unknown[] = [];
  const code = (error: unknown) => (error instanceof BulkheadError ? error.code : error);
  tree = watchTree({
    ...{ path: root, confinement: makeConfinement([root]), inotify: makeInotify(stormSize), budget },
    onChange: (event, path) => told.push(`${event} ${path.slice(root.length + 1)}`),
    onError: (error) => errors.push(code(error)),
    onEnd: (error) => ends.push(code(error)),
  });
  /** Whether all that was taken has been given back. */
  const isFree = () => {
    for (const what of ["directories", "names"] as const) {
      budget.take(what, all[what]);
      budget.give(what, all[what]);
    }
    return true;
  };
  return { told, errors, ends, isFree };
}

function write(count: number, prefix = "f"): void {
  for (let n = 0; n < count; n += 1) writeFileSync(join(root, `${prefix}${n}`), "");
}

describe("a storm of events", () => {
  it("is broken off and told of, and the watch goes on after it", async () => {
    const { told, errors, ends } = watch(50);
    write(200);
    await until(() => errors.length > 0);
    expect(errors).toEqual(["RESOURCE_LIMIT_ERROR"]);
    await until(() => {
      writeFileSync(join(root, `later-${randomUUID()}`), "");
      return told.some((one) => one.startsWith("created later"));
    });
    // What the storm made was there when the watch began anew.
    expect(told.filter((one) => one.startsWith("created f"))).toEqual([]);
    expect(ends).toEqual([]);
  });
});

describe("more names than the limit allows", () => {
  it("end the watch with an error, and give everything back", async () => {
    const { ends, isFree } = watch(10_000, { names: 20 });
    write(30);
    await until(() => ends.length > 0);
    expect(ends).toEqual(["RESOURCE_LIMIT_ERROR"]);
    expect(isFree()).toBe(true);
  });

  it("are found at the beginning, too", async () => {
    write(30);
    const { ends, isFree } = watch(10_000, { names: 20 });
    await until(() => ends.length > 0);
    expect(ends).toEqual(["RESOURCE_LIMIT_ERROR"]);
    expect(isFree()).toBe(true);
  });

  it("are no more than there are", async () => {
    const { told, isFree } = watch(10_000, { names: 100 });
    for (let round = 0; round < 5; round += 1) {
      write(60, `r${round}-`);
      await until(() => told.includes(`created r${round}-59`));
      for (let n = 0; n < 60; n += 1) rmSync(join(root, `r${round}-${n}`));
      await until(() => told.includes(`deleted r${round}-59`));
    }
    tree?.close();
    expect(isFree()).toBe(true);
  });
});
