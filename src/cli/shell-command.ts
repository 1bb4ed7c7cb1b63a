import type { Command } from "commander";
import { connectAgent } from "./agent.ts";
import { addConnectionOptions, type ConnectionFlags } from "./connection.ts";
import { CliError, exitCodes } from "./failure.ts";
import { createRequest, inNewSandbox } from "./new-sandbox.ts";
import { addCreateOptions, type CreateFlags, needTerminal } from "./options.ts";
import type { CliDeps } from "./program.ts";
import { runShell } from "./shell-session.ts";

interface Flags extends ConnectionFlags, CreateFlags {
  readonly new?: boolean;
  readonly keep?: boolean;
  readonly json?: boolean;
}

/** `sh`. */
export function addShellCommand(program: Command, deps: CliDeps): void {
  const command = addConnectionOptions(program.command("sh"))
    .summary("open a shell in a sandbox")
    .description("Open a shell in a sandbox, on this terminal. Ends with the shell's exit code.")
    .argument("[sandbox]", "id of the sandbox")
    .option("--new", "make a sandbox for this shell; it is killed afterwards")
    .option("--keep", "with --new: leave the sandbox running")
    .option("--json", "print one JSON object with the exit code when the shell has ended");
  addCreateOptions(command, "base")
    .addHelpText(
      "after",
      "\nExamples:\n  bulkhead sh 1763382095i648uu1oab\n  bulkhead sh --new --template code-interpreter",
    )
    .action(async (sandbox: string | undefined, flags: Flags) => {
      const code = await openShell(sandbox, flags, deps);
      if (flags.json === true) deps.output.out(JSON.stringify({ exit_code: code }));
      deps.setExitCode(code);
    });
}

async function openShell(sandbox: string | undefined, flags: Flags, deps: CliDeps): Promise<number> {
  const { terminal, output } = deps;
  if ((sandbox === undefined) !== (flags.new === true)) {
    throw new CliError("Name the sandbox, or pass --new to make one (not both).", exitCodes.usage);
  }
  needTerminal(terminal.present, 'Use "bulkhead exec SANDBOX -- COMMAND", which needs none.');
  const controlPlane = deps.connect(flags);
  return deps.interrupts.during(async (signal) => {
    if (sandbox !== undefined) {
      return runShell({ agent: await connectAgent(controlPlane, sandbox), terminal, output, signal });
    }
    const options = { controlPlane, request: createRequest(flags), keep: flags.keep === true, output, signal };
    return inNewSandbox(options, (agent) => runShell({ agent, terminal, output, signal }));
  });
}
