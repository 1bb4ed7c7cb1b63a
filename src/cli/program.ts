import { Command } from "commander";
import type { ConnectionFlags } from "./connection.ts";
import type { ControlPlane } from "./control-plane.ts";
import { addKeyCommands } from "./key-commands.ts";
import type { Output } from "./output.ts";
import { addPlatformCommands } from "./platform-commands.ts";
import { addSandboxCommands } from "./sandbox-commands.ts";

/** What the commands need from the world. */
export interface CliDeps {
  readonly version: string;
  readonly output: Output;
  now(): number;
  connect(flags: ConnectionFlags): ControlPlane;
  /** Runs dist/local.mjs in the foreground; `environment` goes over the command's own. Answers with its exit code. */
  runPlatform(
    command: "start" | "doctor",
    args: readonly string[],
    environment: Readonly<Record<string, string>>,
  ): Promise<number>;
  setExitCode(code: number): void;
}

/** The `bulkhead` command. Wrong usage throws commander's CommanderError instead of ending the process. */
export function makeProgram(deps: CliDeps): Command {
  const program = new Command("bulkhead")
    .description("A sandbox cloud that you own: the Hopx API on one Linux machine.")
    .version(deps.version)
    .configureOutput({
      writeOut: (text) => deps.output.out(text.trimEnd()),
      writeErr: (text) => deps.output.err(text.trimEnd()),
    })
    .showHelpAfterError("(Add --help to the command to see how it is used.)")
    .addHelpText(
      "after",
      "\nExamples:\n  bulkhead start\n  bulkhead doctor\n  bulkhead ls\n  bulkhead kill --all\n  bulkhead keys create ci --expires 30d" +
        "\n\nExit codes: 0 done, 1 failed, 2 wrong usage, 3 not allowed, 4 not found",
    )
    .exitOverride();
  addPlatformCommands(program, deps);
  addSandboxCommands(program, deps);
  addKeyCommands(program, deps);
  return program;
}
