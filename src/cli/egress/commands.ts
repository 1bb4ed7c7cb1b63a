import { type Command, InvalidArgumentError } from "commander";
import { Interrupted } from "../interrupts.ts";
import { addCommonOptions } from "../options.ts";
import { json } from "../output.ts";
import type { CliDeps } from "../program.ts";
import { addEgressOptions, askedOf, type EgressFlags, sinceOf } from "./options.ts";
import { allRows } from "./rows.ts";
import { egressHeading, egressLine, egressTable } from "./table.ts";
import { makeTail } from "./tail.ts";

interface ListFlags extends EgressFlags {
  readonly limit: number;
}

const everyMs = 1_000;
/** 128 + SIGINT. */
const ctrlC = 130;

/** `egress list|tail`. */
export function addEgressCommands(program: Command, deps: CliDeps): void {
  const egress = program
    .command("egress")
    .summary("list connections out of sandboxes, or watch them")
    .description("The record of every connection that went out of the project's sandboxes, or was refused.");
  addEgressOptions(addCommonOptions(egress.command("list")))
    .alias("ls")
    .summary("list connections, newest first")
    .description(
      "List connections out of sandboxes, newest first: by their end, or by their begin while they are open.",
    )
    .option("--limit <number>", "at most so many", parseLimit, 100)
    .addHelpText(
      "after",
      "\nExamples:\n  bulkhead egress list --sandbox 1763382095i648uu1oab\n  bulkhead egress list --denied --since 10m\n" +
        "  bulkhead egress list --host '*.pypi.org' --json | jq '[.[].bytes_in] | add'",
    )
    .action(async (flags: ListFlags) => {
      const since = sinceOf(flags, deps.now());
      const asked = { ...askedOf(flags), ...(since !== null && { since }) };
      const { rows } = await allRows(deps.connect(flags).egress, asked, flags.limit);
      deps.output.out(flags.json === true ? json(rows) : egressTable(rows));
    });
  addEgressOptions(addCommonOptions(egress.command("tail"), "print one JSON object per line"))
    .summary("show connections as they end or stay open, until Ctrl-C")
    .description(
      "Show connections out of sandboxes as they are recorded, until Ctrl-C. One that stays open is shown when it has been open for a moment, and again when it ends.",
    )
    .addHelpText(
      "after",
      "\nExamples:\n  bulkhead egress tail\n  bulkhead egress tail --sandbox 1763382095i648uu1oab --since 10m\n  bulkhead egress tail --denied --json",
    )
    .action((flags: EgressFlags) => tail(flags, deps));
}

async function tail(flags: EgressFlags, deps: CliDeps): Promise<void> {
  const { output } = deps;
  const rows = makeTail({
    pages: deps.connect(flags).egress,
    asked: askedOf(flags),
    since: sinceOf(flags, deps.now()),
    now: () => deps.now(),
  });
  try {
    await deps.interrupts.during(async (signal) => {
      if (flags.json !== true) output.out(egressHeading);
      while (!signal.aborted) {
        const fresh = await rows.next(signal);
        const lines = fresh.map((row) => (flags.json === true ? JSON.stringify(row) : egressLine(row)));
        if (lines.length > 0) await output.raw("stdout", `${lines.join("\n")}\n`);
        await deps.sleep(everyMs, signal);
      }
    });
  } catch (thrown) {
    // It is how one ends it.
    if (!(thrown instanceof Interrupted && thrown.exitCode === ctrlC)) throw thrown;
  }
}

function parseLimit(text: string): number {
  const limit = Number(text);
  if (/^\d{1,7}$/.test(text) && limit > 0) return limit;
  throw new InvalidArgumentError("A limit is a whole number from 1 to 9999999.");
}
