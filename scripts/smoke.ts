import { writeFile } from "node:fs/promises";
import { Journal, reason } from "./smoke/journal.ts";
import { help, readOptions } from "./smoke/options.ts";
import { smoke } from "./smoke/run.ts";

/** Exit code 0: everything held; 1: something did not; 2: it could not begin. */
async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2), process.env);
  if (options === undefined) {
    process.stdout.write(`${help}\n`);
    return 0;
  }
  const journal = new Journal((line) => process.stderr.write(`${line}\n`));
  await smoke(journal, options, process.env);
  process.stdout.write(`\n${journal.table()}\n\n`);
  const { entries, failures } = journal;
  if (options.json !== undefined)
    await writeFile(options.json, `${JSON.stringify({ url: options.url, entries }, null, 2)}\n`);
  for (const { section, what, seen } of failures) process.stdout.write(`FAILED ${section}: ${what}: ${seen}\n`);
  process.stdout.write(`${entries.filter(({ verdict }) => verdict === "ok").length} held, ${failures.length} failed\n`);
  return failures.length === 0 ? 0 : 1;
}

process.exitCode = await main().catch((thrown: unknown) => {
  process.stderr.write(`${reason(thrown)}\nTry: npm run smoke -- --help\n`);
  return 2;
});
