import { readdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { bundle } from "./bundle.ts";
import { harmlessEnvironment } from "./environment.ts";
import { loadTime } from "./load-time.ts";
import { zip } from "./zip.ts";

export interface Measured {
  readonly name: string;
  readonly bytes: number;
  readonly zippedBytes: number;
  /** Median of fresh processes; null when it was not asked for. */
  readonly loadMs: number | null;
}

/** Names of the functions: every folder of `lambdas` with a handler. */
export function functionNames(lambdas: string): readonly string[] {
  return readdirSync(lambdas, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && readdirSync(join(lambdas, entry.name)).includes("handler.ts"))
    .map(({ name }) => name)
    .sort();
}

/** Bundles one function into `directory` and measures what a deploy would carry and a cold start would load. */
export async function measure(lambdas: string, name: string, directory: string, runs: number): Promise<Measured> {
  const outfile = join(directory, name, "index.mjs");
  await bundle(join(lambdas, name, "handler.ts"), outfile);
  const content = await readFile(outfile);
  const loadMs = runs === 0 ? null : await loadTime(outfile, harmlessEnvironment, runs);
  return { name, bytes: content.length, zippedBytes: zip("index.mjs", content).length, loadMs };
}
