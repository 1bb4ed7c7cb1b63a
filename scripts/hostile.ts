import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { table } from "#cli/output.ts";
import { allAttempts } from "#test/hostile/all.ts";
import { type Group, groups } from "#test/hostile/attempt.ts";
import { openRemoteWorld } from "#test/hostile/remote.ts";
import { make, type Row } from "#test/hostile/run.ts";
import { openHostileWorld } from "#test/hostile/world.ts";

const help = `npm run hostile -- [--only GROUP,…] [--json | --markdown] [--target URL --key-file FILE]

Starts a platform and runs hostile programs in its sandboxes. Each attempt must be stopped; exit code 1 when one is not.
With --target: in sandboxes of that deployment (its API key in FILE, or in BULKHEAD_API_KEY). Attempts that need the machine it runs on are left out and counted.
Groups: ${groups.join(", ")}`;

const { values } = parseArgs({
  options: {
    only: { type: "string" },
    json: { type: "boolean", default: false },
    markdown: { type: "boolean", default: false },
    target: { type: "string" },
    "key-file": { type: "string" },
    help: { type: "boolean", short: "h", default: false },
  },
});

async function main(): Promise<number> {
  if (values.help) {
    process.stdout.write(`${help}\n`);
    return 0;
  }
  const only = values.only?.split(",");
  const unknown = only?.filter((name) => !groups.includes(name as Group)) ?? [];
  if (unknown.length > 0) {
    process.stderr.write(`No such group: ${unknown.join(", ")}\n${help}\n`);
    return 2;
  }
  const chosen = allAttempts.filter(({ group }) => only === undefined || only.includes(group));
  const rows: Row[] = [];
  let skipped = 0;
  const world = await openWorld();
  try {
    for (const attempt of chosen) {
      if (values.target !== undefined && attempt.host === true) {
        skipped += 1;
        continue;
      }
      const row = await make(world, attempt);
      if (row.skipped !== undefined) {
        skipped += 1;
        process.stderr.write(`not made    ${attempt.group}: ${attempt.tried}: ${row.skipped}\n`);
        continue;
      }
      rows.push(row);
      process.stderr.write(
        `${row.verdict.stopped ? "stopped    " : "NOT STOPPED"} ${attempt.group}: ${attempt.tried}\n`,
      );
    }
  } finally {
    await world.close();
  }
  process.stdout.write(`${print(rows)}\n`);
  const left = rows.filter(({ verdict }) => !verdict.stopped).length;
  process.stderr.write(`\n${rows.length} attempts, ${rows.length - left} stopped, ${left} not stopped\n`);
  if (skipped > 0) process.stderr.write(`${skipped} not made: they need the machine that the platform runs on\n`);
  if (rows.length === 0) process.stderr.write("Nothing was tried, so nothing is shown.\n");
  return left === 0 && rows.length > 0 ? 0 : 1;
}

function openWorld(): ReturnType<typeof openHostileWorld> {
  if (values.target === undefined) return openHostileWorld();
  const file = values["key-file"];
  const key = (file === undefined ? process.env["BULKHEAD_API_KEY"] : readFileSync(file, "utf8"))?.trim();
  if (key === undefined || key === "") throw new Error("No API key. Give --key-file, or set BULKHEAD_API_KEY.");
  return openRemoteWorld(values.target.replace(/\/+$/, "").replace(/\/v1$/, ""), key);
}

function print(rows: readonly Row[]): string {
  const cells = rows.map(({ attempt, verdict }) => [
    attempt.group,
    attempt.tried,
    attempt.must,
    (verdict.stopped ? "" : "NOT STOPPED: ") + verdict.by.slice(0, 120),
  ]);
  if (values.json) {
    return JSON.stringify(
      rows.map(({ attempt: { group, tried, must }, verdict }) => ({ group, tried, must, ...verdict })),
      null,
      2,
    );
  }
  if (!values.markdown) return table(["GROUP", "ATTEMPT", "MUST", "WHAT STOPPED IT"], cells);
  const lines = cells.map((row) => `| ${row.map((text) => text.replaceAll("|", "\\|")).join(" | ")} |`);
  return ["| group | attempt | must | what stopped it |", "|---|---|---|---|", ...lines].join("\n");
}

process.exitCode = await main();
