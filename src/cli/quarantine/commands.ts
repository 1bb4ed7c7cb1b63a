import type { Command } from "commander";
import * as z from "zod";
import { quarantineViewSchema } from "#contracts/control/sandboxes.ts";
import { CliError, exitCodes } from "../failure.ts";
import { addCommonOptions, type CommonFlags, parseSeconds } from "../options.ts";
import { json, span, table } from "../output.ts";
import type { CliDeps } from "../program.ts";

interface HoldFlags extends CommonFlags {
  readonly reason?: string;
  readonly for?: number;
}

/** A platform of before quarantines says nothing of them. */
const heldView = z.object({ quarantine: quarantineViewSchema.nullable().optional() });

/** `quarantine <sandbox>`, `quarantine ls` and `release`. */
export function addQuarantineCommands(program: Command, deps: CliDeps): void {
  const quarantine = addCommonOptions(program.command("quarantine"))
    .summary("hold a sandbox for inspection")
    .description(
      "Hold a sandbox: nothing goes out of it, its tokens and links are refused, its processes stand still, its files stay. It ends when the hold does, unless it is released before.",
    )
    .argument("[sandbox]", "sandbox id, as bulkhead ls shows it")
    .option("--reason <text>", "why; shown to whoever asks for the sandbox, and kept in the audit record")
    .option("--for <time>", "how long at most, as 12h or 30d (default: what the platform says, a week)", parseSeconds)
    .addHelpText(
      "after",
      '\nExamples:\n  bulkhead quarantine 1763382095i648uu1oab --reason "used a decoy key"\n  bulkhead quarantine ls\n  bulkhead release 1763382095i648uu1oab',
    )
    .action((id: string | undefined, flags: HoldFlags) => hold(id, flags, deps));
  addCommonOptions(quarantine.command("list"))
    .alias("ls")
    .description("List sandboxes that are held.")
    .addHelpText("after", "\nExamples:\n  bulkhead quarantine ls\n  bulkhead quarantine ls --json")
    .action((_flags: CommonFlags, command: Command) => listHeld(command.optsWithGlobals<CommonFlags>(), deps));
  addCommonOptions(program.command("release"))
    .summary("let a held sandbox go on")
    .description(
      "Let a sandbox go on that is in quarantine, with the time it had left. Its tokens of before stay dead: its users refresh them.",
    )
    .argument("<sandbox>", "sandbox id, as bulkhead quarantine ls shows it")
    .addHelpText("after", "\nExamples:\n  bulkhead release 1763382095i648uu1oab")
    .action(async (id: string, flags: CommonFlags) => {
      const answer = await deps.connect(flags).quarantine.release(id);
      deps.output.out(flags.json === true ? json(answer) : `${id} ${answer.status}`);
    });
}

async function hold(id: string | undefined, flags: HoldFlags, deps: CliDeps): Promise<void> {
  if (id === undefined) throw new CliError("Name the sandbox to hold.", exitCodes.usage);
  if (flags.reason === undefined) throw new CliError("Say why, with --reason.", exitCodes.usage);
  const answer = await deps.connect(flags).quarantine.hold(id, flags.reason, flags.for);
  if (flags.json === true) {
    deps.output.out(json(answer));
    return;
  }
  deps.output.out(`${id} in quarantine until ${answer.quarantine?.until ?? "?"}`);
  if (!answer.frozen) deps.output.err(`bulkhead: processes of ${id} run still; the platform tries again`);
}

async function listHeld(flags: CommonFlags, deps: CliDeps): Promise<void> {
  const found = (await deps.connect(flags).sandboxes()).flatMap((sandbox) => {
    const held = heldView.safeParse(sandbox).data?.quarantine;
    return held == null ? [] : [{ sandbox, held }];
  });
  if (flags.json === true) {
    deps.output.out(json(found.map(({ sandbox }) => sandbox)));
    return;
  }
  const rows = found.map(({ sandbox, held }) => [
    sandbox.id,
    sandbox.status,
    span(deps.now() - Date.parse(held.at)),
    span(Date.parse(held.until) - deps.now()),
    held.by,
    held.reason,
  ]);
  deps.output.out(
    rows.length === 0 ? "No sandbox is held." : table(["SANDBOX", "STATUS", "HELD FOR", "LEFT", "BY", "REASON"], rows),
  );
}
