import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { functionNames, type Measured, measure } from "./bundles/measure.ts";
import { columns } from "./support/table.ts";

const help = `npm run bundles -- [options]

Bundles every function as a deploy does and prints its zipped size and how long a fresh Node.js process takes to import it.

  --only NAME     one function, may be repeated
  --runs N        fresh processes per function, default 7; 0 leaves the times out
  --json          print JSON
  --help

Exit code 1 when a function is over 350 kB zipped, or does not bundle or load. Times over 100 ms are marked, never failed: they depend on the machine.`;

const budget = { zippedBytes: 350_000, loadMs: 100 };

const { values } = parseArgs({
  options: {
    only: { type: "string", multiple: true },
    runs: { type: "string", default: "7" },
    json: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

function row({ name, bytes, zippedBytes, loadMs }: Measured): readonly string[] {
  const marks = [
    ...(zippedBytes > budget.zippedBytes ? ["OVER 350 kB"] : []),
    ...(loadMs !== null && loadMs > budget.loadMs ? ["slower than 100 ms here"] : []),
  ];
  const kB = (count: number): string => (count / 1000).toFixed(1);
  return [name, kB(bytes), kB(zippedBytes), loadMs === null ? "-" : loadMs.toFixed(0), marks.join(", ")];
}

async function main(): Promise<void> {
  if (values.help) return void process.stdout.write(`${help}\n`);
  const lambdas = resolve(import.meta.dirname, "../lambdas");
  const runs = Number(values.runs);
  if (!Number.isInteger(runs) || runs < 0) throw new Error("--runs: a whole number is wanted");
  const names = functionNames(lambdas).filter((name) => values.only?.includes(name) ?? true);
  if (names.length === 0) throw new Error(`no such function; there are: ${functionNames(lambdas).join(", ")}`);
  const directory = await mkdtemp(join(tmpdir(), "bulkhead-bundles-"));
  const measured: Measured[] = [];
  const failed: string[] = [];
  try {
    for (const name of names) {
      process.stderr.write(`${name} …\n`);
      await measure(lambdas, name, directory, runs).then(
        (one) => measured.push(one),
        (thrown: unknown) => failed.push(`${name}: ${thrown instanceof Error ? thrown.message : String(thrown)}`),
      );
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
  const head = ["function", "kB", "kB zipped", "load ms", ""];
  const table = columns([head, ...measured.map(row)], [1, 2, 3]);
  process.stdout.write(
    values.json
      ? `${JSON.stringify({ budget, runs, node: process.version, functions: measured, failed }, null, 2)}\n`
      : `${table}\n\nbudget 350 kB zipped, 100 ms; times are medians of ${runs} fresh processes, Node.js ${process.version}\n`,
  );
  for (const line of failed) process.stderr.write(`${line}\n`);
  if (failed.length > 0 || measured.some(({ zippedBytes }) => zippedBytes > budget.zippedBytes)) process.exitCode = 1;
}

await main().catch((thrown: unknown) => {
  process.stderr.write(`${thrown instanceof Error ? thrown.message : String(thrown)}\n`);
  process.exitCode = 1;
});
