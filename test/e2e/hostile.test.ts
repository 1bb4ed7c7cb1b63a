import { beforeAll, describe, expect, it } from "vitest";
import { table } from "#cli/output.ts";
import { allAttempts } from "#test/hostile/all.ts";
import { groups } from "#test/hostile/attempt.ts";
import { make, type Row } from "#test/hostile/run.ts";
import { type HostileWorld, openHostileWorld } from "#test/hostile/world.ts";

/** The attempts of `npm run hostile`, each as a test. */
let world: HostileWorld;
const rows: Row[] = [];

beforeAll(async () => {
  world = await openHostileWorld();
  return async () => {
    const cells = rows.map(({ attempt, verdict }) => [attempt.group, attempt.tried, verdict.by.slice(0, 110)]);
    process.stdout.write(`\n${table(["GROUP", "ATTEMPT", "STOPPED BY"], cells)}\n`);
    await world.close();
  };
});

it("are at least eighty, each of its own name, and every group has some", () => {
  expect(allAttempts.length).toBeGreaterThanOrEqual(80);
  expect(new Set(allAttempts.map(({ group, tried }) => `${group} ${tried}`)).size).toBe(allAttempts.length);
  expect(groups.filter((group) => !allAttempts.some((attempt) => attempt.group === group))).toEqual([]);
});

describe.each(groups)("%s", (group) => {
  it.each(allAttempts.filter((attempt) => attempt.group === group))("$tried", async (attempt) => {
    const row = await make(world, attempt);
    rows.push(row);
    expect(row.verdict, row.verdict.by).toMatchObject({ stopped: true });
  });
});
