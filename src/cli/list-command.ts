import { type Command, Option } from "commander";
import { wireStatuses } from "#contracts/control/sandboxes.ts";
import type { ControlPlane } from "./control-plane.ts";
import { CliError, exitCodes } from "./failure.ts";
import { addCommonOptions, type CommonFlags, parseSeconds } from "./options.ts";
import { json } from "./output.ts";
import type { CliDeps } from "./program.ts";
import { sandboxTable } from "./sandbox-table.ts";
import type { SandboxView } from "./sandbox-view.ts";

interface Flags extends CommonFlags {
  readonly status?: string;
  readonly all?: boolean;
  readonly watch?: boolean;
  readonly interval: number;
}

/** `ls`. */
export function addListCommand(program: Command, deps: CliDeps): void {
  addCommonOptions(program.command("ls"), "print one JSON document; with --watch one in each line")
    .alias("list")
    .summary("list sandboxes")
    .description(
      "List the sandboxes of the key's project, with the time they have left and for how long nothing was done with them.",
    )
    .addOption(new Option("--status <status>", "only these").choices(wireStatuses))
    .option("--all", "also those that have ended, with the reason")
    .option("--watch", "draw the list again and again, until Ctrl-C")
    .option("--interval <time>", "with --watch: time between two", parseSeconds, 2)
    .addHelpText(
      "after",
      "\nExamples:\n  bulkhead ls\n  bulkhead ls --watch\n  bulkhead ls --status running --json | jq -r '.[].id'",
    )
    .action(async (flags: Flags) => {
      if (flags.all === true && flags.status !== undefined) {
        throw new CliError("Pass --status or --all, not both.", exitCodes.usage);
      }
      const controlPlane = deps.connect(flags);
      if (flags.watch === true) {
        await watch(controlPlane, flags, deps);
        return;
      }
      const sandboxes = await find(controlPlane, flags);
      deps.output.out(flags.json === true ? json(sandboxes) : sandboxTable(sandboxes, deps.now()));
    });
}

async function find(controlPlane: ControlPlane, { status, all }: Flags): Promise<readonly SandboxView[]> {
  const live = await controlPlane.sandboxes(status);
  return all === true ? [...live, ...(await controlPlane.sandboxes("deleted"))] : live;
}

const clearScreen = "\x1b[H\x1b[J";

async function watch(controlPlane: ControlPlane, flags: Flags, deps: CliDeps): Promise<void> {
  const { output } = deps;
  await deps.interrupts.during(async (signal) => {
    while (!signal.aborted) {
      const sandboxes = await find(controlPlane, flags);
      if (flags.json === true) {
        output.out(JSON.stringify(sandboxes));
      } else {
        const time = new Date(deps.now()).toISOString().slice(11, 19);
        const text = `${time} UTC, every ${flags.interval} s, Ctrl-C ends\n\n${sandboxTable(sandboxes, deps.now())}`;
        output.out(output.terminal.stdout ? clearScreen + text : `${text}\n`);
      }
      await deps.sleep(flags.interval * 1000, signal);
    }
  });
}
