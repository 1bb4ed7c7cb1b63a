import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import * as environment from "../../../lambdas/environment.ts";
import { harmlessEnvironment } from "../../../scripts/bundles/environment.ts";
import { loadOnce, median } from "../../../scripts/bundles/load-time.ts";
import { functionNames, measure } from "../../../scripts/bundles/measure.ts";
import { zip } from "../../../scripts/bundles/zip.ts";

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "bulkhead-bundles-"));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

async function lambda(name: string, source: string): Promise<void> {
  await mkdir(join(directory, "lambdas", name), { recursive: true });
  await writeFile(join(directory, "lambdas", name, "handler.ts"), source);
}

describe("the zip", () => {
  it("is one that others can read", async () => {
    const content = Buffer.from("export const handler = () => 42;\n".repeat(500));
    const file = join(directory, "one.zip");
    await writeFile(file, zip("index.mjs", content));
    const script =
      "import sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); assert z.testzip() is None; sys.stdout.write(z.namelist()[0] + '\\n' + z.read('index.mjs').decode())";
    const read = spawnSync("python3", ["-c", script, file], { encoding: "utf8" });
    expect(read.stderr).toBe("");
    expect(read.stdout).toBe(`index.mjs\n${content.toString()}`);
    expect(zip("index.mjs", content).length).toBeLessThan(content.length / 10);
  });
});

describe("a function's bundle", () => {
  it("is found by its handler, bundled and loaded", async () => {
    await lambda("good", `import { z } from "zod"; export const handler = () => z.string().parse("x");`);
    await mkdir(join(directory, "lambdas", "unfinished"), { recursive: true });
    expect(functionNames(join(directory, "lambdas"))).toEqual(["good"]);
    await writeFile(join(directory, "package.json"), "{}");
    const measured = await measure(join(directory, "lambdas"), "good", directory, 0).catch((cause: unknown) => cause);
    // zod is not found from the temporary directory: a bundle never leaves an import to luck.
    expect(String(measured)).toMatch(/Could not resolve "zod"/);
  });

  it("is measured in bytes, zipped bytes and milliseconds", async () => {
    await lambda("small", "export const handler = (): number => 42;");
    const measured = await measure(join(directory, "lambdas"), "small", directory, 3);
    expect(measured.zippedBytes).toBeGreaterThan(100);
    expect(measured.zippedBytes).toBeLessThan(measured.bytes + 200);
    expect(measured.loadMs).toBeGreaterThan(0);
  });

  it("is refused when it does not load, or exports no handler", async () => {
    await lambda("throws", "throw new Error('no such variable'); export const handler = 1;");
    await lambda("other", "export const main = (): number => 42;");
    await expect(measure(join(directory, "lambdas"), "throws", directory, 1)).rejects.toThrow(/no such variable/);
    await expect(measure(join(directory, "lambdas"), "other", directory, 1)).rejects.toThrow(/exports no handler/);
  });

  it("sees nothing of our environment", async () => {
    const file = join(directory, "env.mjs");
    await writeFile(file, "if (process.env.HOME) throw new Error('sees HOME'); export const handler = () => 1;");
    await expect(loadOnce(file, {})).resolves.toBeGreaterThan(0);
  });
});

describe("the harmless environment", () => {
  const schemas = Object.entries(environment).flatMap(([name, value]): [string, z.ZodType][] =>
    name.endsWith("EnvSchema") && value instanceof z.ZodType ? [[name, value]] : [],
  );
  it.each(schemas)("satisfies %s", (_, schema) => {
    expect(schemas.length).toBeGreaterThan(5);
    const parsed = schema.safeParse(harmlessEnvironment);
    expect(parsed.error).toBeUndefined();
  });
});

it("takes the middle of an odd count and the mean of the middle two of an even one", () => {
  expect(median([9, 1, 5])).toBe(5);
  expect(median([4, 1, 2, 9])).toBe(3);
});
