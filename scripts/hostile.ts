import { parseArgs } from "node:util";
import { table } from "#cli/output.ts";
import { allAttempts } from "#test/hostile/all.ts";
import { type Group, groups } from "#test/hostile/attempt.ts";
import { make, type Row } from "#test/hostile/run.ts";
import { openHostileWorld } from "#test/hostile/world.ts";

const help = `npm run hostile -- [--only GROUP,…] [--json | --markdown]

Starts a platform and runs hostile programs in its sandboxes. Each attempt must be stopped; exit code 1 when one is not.
Groups: ${groups.join(", ")}`;

const { values } = parseArgs({
  options: {
    only: { type: "string" },
    json: { type: "boolean", default: false },
    markdown: { type: "boolean", default: false },
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
  const world = await openHostileWorld();
  try {
    for (const attempt of chosen) {
      const row = await make(world, attempt);
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
  return left === 0 ? 0 : 1;
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
