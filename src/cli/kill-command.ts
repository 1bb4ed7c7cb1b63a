import type { Command } from "commander";
import type { ControlPlane } from "./control-plane.ts";
import { CliError, exitCodes } from "./failure.ts";
import { addCommonOptions, type CommonFlags } from "./options.ts";
import { json } from "./output.ts";
import type { CliDeps } from "./program.ts";

interface KillFlags extends CommonFlags {
  readonly all?: boolean;
}

interface KillOutcome {
  readonly id: string;
  readonly killed: boolean;
  readonly problem: string | null;
  readonly exitCode: number;
}

/** `kill`. */
export function addKillCommand(program: Command, deps: CliDeps): void {
  addCommonOptions(program.command("kill"))
    .summary("end sandboxes")
    .description("End sandboxes at once. What could not be ended is said on standard error.")
    .argument("[sandbox...]", "sandbox ids, as bulkhead ls shows them")
    .option("--all", "every sandbox of the key's project")
    .addHelpText("after", "\nExamples:\n  bulkhead kill 1763382095i648uu1oab\n  bulkhead kill --all")
    .action(async (ids: readonly string[], flags: KillFlags) => {
      await kill(ids, flags, deps);
    });
}

async function kill(ids: readonly string[], flags: KillFlags, deps: CliDeps): Promise<void> {
  if ((ids.length === 0) !== (flags.all === true)) {
    throw new CliError("Name the sandboxes to end, or pass --all (not both).", exitCodes.usage);
  }
  const controlPlane = deps.connect(flags);
  const targets = flags.all === true ? (await controlPlane.sandboxes()).map(({ id }) => id) : ids;
  const outcomes: KillOutcome[] = [];
  for (const id of targets) outcomes.push(await killOne(controlPlane, id));
  if (flags.json === true) {
    deps.output.out(json(outcomes.map(({ id, killed, problem }) => ({ id, killed, problem }))));
  } else {
    for (const { id, problem } of outcomes) {
      if (problem === null) deps.output.out(`${id} killed`);
      else deps.output.err(`bulkhead: cannot kill ${id}: ${problem}`);
    }
    if (outcomes.length === 0) deps.output.out("No sandboxes.");
  }
  deps.setExitCode(Math.max(0, ...outcomes.map(({ exitCode }) => exitCode)));
}

async function killOne(controlPlane: ControlPlane, id: string): Promise<KillOutcome> {
  try {
    await controlPlane.kill(id);
    return { id, killed: true, problem: null, exitCode: exitCodes.ok };
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    return { id, killed: false, problem: error.message, exitCode: error.exitCode };
  }
}
