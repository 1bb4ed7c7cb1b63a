import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { makeBill, overBudget } from "./cost/bill.ts";
import { customMetrics } from "./cost/metrics.ts";
import { readPriceTable } from "./cost/price-table.ts";
import { footnotes, type ProfileCost, printable } from "./cost/report.ts";
import { priceSandboxes, readPool } from "./cost/sandbox-price.ts";
import { sandboxSizes } from "./cost/sizes.ts";
import { synthesize } from "./cost/synthesize.ts";
import { readAssembly } from "./cost/template.ts";

const help = `npm run cost -- [options]

The idle bill of a deployment, line by line, and what a sandbox costs. Needs no AWS account.

  --profile dev|prod   one profile; default both
  --out DIR            read a cloud assembly that is there (cdk.out) instead of synthesizing; its profile is named by --profile
  --context NAME=VALUE CDK context for the synthesis, may be repeated (e.g. domain=…)
  --prices FILE        another price table than the newest of infra/prices
  --json               print JSON
  --help

Exit code 1: the bill of dev is over $52, the bill of prod over $100 without its warm pool, or a resource has no price.`;

/** What an idle deployment may cost, in $ a month, without the warm pool. Of dev's, $1 is for a key that signs the audit record and nothing else. */
const budgets: Readonly<Record<string, number>> = { dev: 52, prod: 100 };

const { values } = parseArgs({
  options: {
    profile: { type: "string", multiple: true },
    out: { type: "string" },
    context: { type: "string", multiple: true, default: [] },
    prices: { type: "string" },
    json: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

/** Name and value of each `--context NAME=VALUE`. */
function contextOf(pairs: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const [name = "", ...rest] = pair.split("=");
      if (rest.length === 0) throw new Error(`--context ${pair}: NAME=VALUE is wanted`);
      return [name, rest.join("=")];
    }),
  );
}

async function assemble<T>(profile: string, use: (directory: string) => T): Promise<T> {
  if (values.out !== undefined) return use(values.out);
  const directory = await mkdtemp(join(tmpdir(), "bulkhead-cost-"));
  try {
    process.stderr.write(`synthesizing ${profile} …\n`);
    await synthesize(directory, { ...contextOf(values.context), profile });
    return use(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function costOf(profile: string, table: ReturnType<typeof readPriceTable>): Promise<ProfileCost> {
  const budget = budgets[profile];
  if (budget === undefined) throw new Error(`--profile ${profile}: dev or prod is wanted`);
  const templates = await assemble(profile, readAssembly);
  const bill = makeBill(templates, table, { customMetrics });
  const sandboxes = priceSandboxes(sandboxSizes(), readPool(templates), table);
  const poolUsdPerMonth = sandboxes.reduce((sum, { warm, usdPerWarmMonth }) => sum + warm * usdPerWarmMonth, 0);
  return { profile, budget, bill, sandboxes, poolUsdPerMonth };
}

async function main(): Promise<void> {
  if (values.help) return void process.stdout.write(`${help}\n`);
  const profiles = values.profile ?? ["dev", "prod"];
  if (values.out !== undefined && profiles.length !== 1)
    throw new Error("--out holds one profile: name it with --profile dev or --profile prod");
  const table = readPriceTable(values.prices);
  const costs: ProfileCost[] = [];
  for (const profile of profiles) costs.push(await costOf(profile, table));
  const over = costs.flatMap(({ profile, bill, budget }) => overBudget(profile, bill, budget) ?? []);
  process.stdout.write(
    values.json
      ? `${JSON.stringify({ region: table.region, date: table.date, profiles: costs, over }, null, 2)}\n`
      : `${costs.map((cost) => printable(cost, table)).join("\n\n")}\n\n${footnotes(costs, table)}\n`,
  );
  for (const line of over) process.stderr.write(`${line}\n`);
  if (over.length > 0) process.exitCode = 1;
}

await main().catch((thrown: unknown) => {
  process.stderr.write(`${thrown instanceof Error ? thrown.message : String(thrown)}\n`);
  process.exitCode = 1;
});
