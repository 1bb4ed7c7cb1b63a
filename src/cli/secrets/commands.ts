import type { Command } from "commander";
import { type SecretView, secretNameSchema } from "#contracts/control/secrets.ts";
import { CliError, exitCodes } from "../failure.ts";
import { addCommonOptions, type CommonFlags } from "../options.ts";
import { json, table } from "../output.ts";
import type { CliDeps } from "../program.ts";
import { removeAll } from "./remove.ts";
import { readValue } from "./value.ts";

interface SetFlags extends CommonFlags {
  readonly file?: string;
}

/** `secrets set|list|rm`. */
export function addSecretCommands(program: Command, deps: CliDeps): void {
  const secrets = program
    .command("secrets")
    .summary("keep secrets that sandboxes may use")
    .description(
      "Secrets of this platform's own store, on one machine; on AWS they are in Secrets Manager. Sandboxes get them by name " +
        "(create --secret), or use them without seeing them (create --broker).",
    );
  addSetCommand(secrets, deps);
  addCommonOptions(secrets.command("list"))
    .alias("ls")
    .summary("list secrets, without their values")
    .description("List the project's secrets by name. Values never come out.")
    .addHelpText("after", "\nExample:\n  bulkhead secrets list")
    .action(async (flags: CommonFlags) => {
      const found = await deps.connect(flags).secrets();
      deps.output.out(flags.json === true ? json(found) : secretTable(found));
    });
  addCommonOptions(secrets.command("rm"))
    .summary("remove secrets")
    .description("Remove secrets. Sandboxes that have a value keep it; brokered uses are refused within a minute.")
    .argument("<name...>", "names, as bulkhead secrets list shows them")
    .addHelpText("after", "\nExample:\n  bulkhead secrets rm github")
    .action(async (names: readonly string[], flags: CommonFlags) => {
      await removeAll(names.map(checkedName), flags, deps);
    });
}

function addSetCommand(secrets: Command, deps: CliDeps): void {
  addCommonOptions(secrets.command("set"))
    .summary("make or replace a secret")
    .description(
      "Make or replace a secret. Its value is read from standard input, or asked for without being shown; one line end at its end " +
        "is not part of it. It never stands in an argument, where other programs and the shell's history would have it.",
    )
    .argument("<name>", "1 to 256 letters, digits and / _ + . @ -")
    .option("--file <path>", "read the value from a file")
    // More arguments are most likely the value: the action says where it belongs.
    .allowExcessArguments(true)
    .addHelpText(
      "after",
      "\nExamples:\n  bulkhead secrets set github\n  op read op://vault/github/token | bulkhead secrets set github\n" +
        "  bulkhead secrets set vendor --file vendor.json    (a field of it is used as vendor#token)",
    )
    .action(async (given: string, flags: SetFlags, command: Command) => {
      const name = checkedNewName(given, command.args.length > 1);
      const kept = await deps.connect(flags).putSecret(name, await readValue(name, flags.file, deps));
      deps.output.out(flags.json === true ? json(kept) : `${name} is kept, version ${kept.version}`);
    });
}

/** What may be a value is not repeated: the answer may end up in a log. */
function checkedNewName(given: string, more: boolean): string {
  if (!more && !given.includes("=")) return checkedName(given);
  const instead = 'Say "bulkhead secrets set NAME" and give it on standard input, when asked, or with --file.';
  throw new CliError(
    `A value does not stand in an argument. ${instead} If that was a real one, change it.`,
    exitCodes.usage,
  );
}

function checkedName(name: string): string {
  const parsed = secretNameSchema.safeParse(name);
  if (parsed.success) return parsed.data;
  throw new CliError("A secret's name is 1 to 256 letters, digits and / _ + = . @ -", exitCodes.usage);
}

function secretTable(secrets: readonly SecretView[]): string {
  if (secrets.length === 0) return "No secrets.";
  const minute = (at: string): string => at.slice(0, 16).replace("T", " ");
  const rows = secrets.map(({ name, version, created_at, updated_at }) => [
    name,
    String(version),
    minute(created_at),
    minute(updated_at),
  ]);
  return table(["NAME", "VERSION", "CREATED (UTC)", "UPDATED (UTC)"], rows);
}
