import { Command } from "commander";
import { addAlertCommands } from "./alerts/commands.ts";
import { addAuditCommands } from "./audit/commands.ts";
import { addCompletionCommand } from "./completion-command.ts";
import type { ConnectionFlags } from "./connection.ts";
import type { ControlPlane } from "./control-plane.ts";
import { addCopyCommand } from "./copy-command.ts";
import { addEgressCommands } from "./egress/commands.ts";
import { addEvidenceCommands } from "./evidence/commands.ts";
import { addExecCommand } from "./exec-command.ts";
import type { Interrupts } from "./interrupts.ts";
import { addKeyCommands } from "./key-commands.ts";
import { addKillCommand } from "./kill-command.ts";
import { addLifecycleCommands } from "./lifecycle-commands.ts";
import { addListCommand } from "./list-command.ts";
import { addLogsCommand } from "./logs-command.ts";
import { addNetworkCommands } from "./network/commands.ts";
import type { Output } from "./output.ts";
import { addPlatformCommands } from "./platform-commands.ts";
import { addPolicyCommands } from "./policy/commands.ts";
import { addProcessCommands } from "./process-commands.ts";
import { addQuarantineCommands } from "./quarantine/commands.ts";
import { addRunCommand } from "./run-command.ts";
import { addSandboxCommands } from "./sandbox-commands.ts";
import { addSecretCommands } from "./secrets/commands.ts";
import { addShellCommand } from "./shell-command.ts";
import { addTemplateCommands } from "./template-commands.ts";
import type { Terminal } from "./terminal.ts";

/** What the commands need from the world. */
export interface CliDeps {
  readonly version: string;
  readonly output: Output;
  readonly terminal: Terminal;
  readonly interrupts: Interrupts;
  now(): number;
  /** Returns early when `signal` is aborted. */
  sleep(milliseconds: number, signal: AbortSignal): Promise<void>;
  /** All of standard input. */
  readInput(): Promise<string>;
  /** All of standard input where it is no terminal; else one line, asked for and not shown. */
  readSecret(prompt: string): Promise<string>;
  /** A variable of the command's own environment. */
  readonly variable: (name: string) => string | undefined;
  connect(flags: ConnectionFlags): ControlPlane;
  /** Runs dist/local.mjs in the foreground; `environment` goes over the command's own. Answers with its exit code. */
  runPlatform(
    command: "start" | "doctor",
    args: readonly string[],
    environment: Readonly<Record<string, string>>,
  ): Promise<number>;
  setExitCode(code: number): void;
}

const examples = [
  "bulkhead start",
  "bulkhead run examples/plot.py",
  "bulkhead sh --new",
  "bulkhead exec ID -- ls -la",
  "bulkhead cp data.csv ID:",
  "bulkhead ls --watch",
  "bulkhead kill --all",
];

const exitCodeHelp =
  "Exit codes: that of the program where one is run; else 0 done, 1 failed, 2 wrong usage, 3 not allowed, 4 not found,\n" +
  "5 no answer in time, 6 not reachable, 7 a rate or capacity limit, 128 + n ended by signal n (130: Ctrl-C)";

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
    .addHelpText("after", `\nExamples:\n  ${examples.join("\n  ")}\n\n${exitCodeHelp}`)
    .exitOverride();
  addPlatformCommands(program, deps);
  addRunCommand(program, deps);
  addExecCommand(program, deps);
  addSecretCommands(program, deps);
  addShellCommand(program, deps);
  addCopyCommand(program, deps);
  addLogsCommand(program, deps);
  addProcessCommands(program, deps);
  addListCommand(program, deps);
  addSandboxCommands(program, deps);
  addLifecycleCommands(program, deps);
  addKillCommand(program, deps);
  addEgressCommands(program, deps);
  addNetworkCommands(program, deps);
  addPolicyCommands(program, deps);
  addAuditCommands(program, deps);
  addQuarantineCommands(program, deps);
  addEvidenceCommands(program, deps);
  addAlertCommands(program, deps);
  addTemplateCommands(program, deps);
  addKeyCommands(program, deps);
  addCompletionCommand(program, deps);
  return program;
}
