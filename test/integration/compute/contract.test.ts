import { existsSync, readdirSync } from "node:fs";
import { afterAll, describe } from "vitest";
import { type ComputeWorld, computeContract } from "#test/contract/compute.suite.ts";
import { aPlatform, type TestPlatform, traces } from "./support.ts";

const made: TestPlatform[] = [];
afterAll(() => Promise.all(made.map((platform) => platform.remove())));

async function makeWorld(): Promise<ComputeWorld> {
  const platform = await aPlatform(made[0] && { host: made[0].host });
  made.push(platform);
  const kept = `${platform.dataDir}/disks/kept`;
  return {
    compute: platform.compute,
    // Everything has its end with the call.
    place: async () => {},
    settle: async () => {},
    fill() {},
    left: async () => [...traces(platform), ...(existsSync(kept) ? readdirSync(kept) : [])],
  };
}

describe.runIf(process.getuid?.() === 0)("with disks", () => {
  computeContract("local compute", makeWorld, {
    "no room": "shown with limits of its own, in life.test.ts",
    limits: "a host holds what it is asked for, or refuses all",
    "later placement": "its instances run at once",
  });
});
