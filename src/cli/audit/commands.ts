import { type Command, InvalidArgumentError } from "commander";
import { addCommonOptions, type CommonFlags } from "../options.ts";
import { json } from "../output.ts";
import type { CliDeps } from "../program.ts";
import { writeAuditFile } from "./file.ts";
import { type AuditFlags, addAuditOptions, eventTable, queryOf, someEvents } from "./list.ts";
import { tailEvents } from "./tail.ts";
import { type VerifyFlags, verifyRecord } from "./verify.ts";

interface ListFlags extends AuditFlags {
  readonly limit: number;
}

interface ExportFlags extends CommonFlags {
  readonly from: number;
}

/** `audit list|tail|export|verify`. */
export function addAuditCommands(program: Command, deps: CliDeps): void {
  const audit = program
    .command("audit")
    .summary("list, watch, export and verify the audit record")
    .description("Who did what to what, on both planes, refused or not; in a hash chain that shows what was changed.");
  addAuditOptions(addCommonOptions(audit.command("list")))
    .alias("ls")
    .description("List events of the project, newest first.")
    .option("--limit <number>", "at most so many", parseCount, 50)
    .addHelpText(
      "after",
      "\nExamples:\n  bulkhead audit list --target 1763382095i648uu1oab\n  bulkhead audit list --outcome refused --since 1h\n  bulkhead audit list --action exec. --json",
    )
    .action(async (flags: ListFlags) => {
      const events = await someEvents(deps.connect(flags).audit, queryOf(flags, deps.now()), flags.limit);
      deps.output.out(flags.json === true ? json(events) : eventTable(events));
    });
  addAuditOptions(addCommonOptions(audit.command("tail"), "print one JSON object per line"))
    .description("Show events as they are recorded, until Ctrl-C.")
    .addHelpText("after", "\nExamples:\n  bulkhead audit tail\n  bulkhead audit tail --outcome refused --json")
    .action((flags: AuditFlags) => tailEvents(flags, deps));
  addCommonOptions(audit.command("export"))
    .description("Write the record to a file that can be verified anywhere, without the platform.")
    .argument("<file>", "where to; - for standard output")
    .option("--from <seq>", "begin with this event", parseCount, 1)
    .addHelpText(
      "after",
      "\nExamples:\n  bulkhead audit export audit.jsonl\n  bulkhead audit export - | gzip > audit.jsonl.gz",
    )
    .action(async (path: string, flags: ExportFlags) => {
      const count = await writeAuditFile(deps.connect(flags).audit, flags.from, path);
      deps.output.err(`${count} events written.`);
    });
  addCommonOptions(audit.command("verify"))
    .description(
      "Verify a record: finds what was changed, removed, inserted or put in another order, and says which event. Offline for a file; without one what the platform has now. Exit code 1 when it does not hold together.",
    )
    .argument("[file]", "as bulkhead audit export wrote it")
    .option("--from <seq>", "the record is meant to begin with this event", parseCount)
    .option("--key <file>", "public key (PEM) that was kept elsewhere; default is the one that comes with the record")
    .addHelpText(
      "after",
      "\nExamples:\n  bulkhead audit verify\n  bulkhead audit verify audit.jsonl --key audit-key.pub.pem",
    )
    .action((path: string | undefined, flags: VerifyFlags) => verifyRecord(path, flags, deps));
  addCommonOptions(audit.command("key"))
    .description("Print the public key of checkpoints and evidence. Keep it somewhere else before you need it.")
    .addHelpText("after", "\nExample:\n  bulkhead audit key > audit-key.pub.pem")
    .action(async (flags: CommonFlags) => {
      const { pem, projectId } = await deps.connect(flags).audit.key();
      deps.output.out(flags.json === true ? json({ public_key: pem, project: projectId }) : pem.trim());
    });
}

function parseCount(text: string): number {
  const count = Number(text);
  if (/^\d{1,15}$/.test(text) && count > 0) return count;
  throw new InvalidArgumentError("A whole number from 1 on.");
}
