import { type Command, InvalidArgumentError, Option } from "commander";
import { maxExecSeconds } from "#contracts/agent/languages.ts";
import { addConnectionOptions, type ConnectionFlags } from "./connection.ts";
import { CliError, exitCodes } from "./failure.ts";
import { addSecretOptions, type SecretFlags } from "./secrets/options.ts";

/** Flags of every command that answers about sandboxes. */
export interface CommonFlags extends ConnectionFlags {
  readonly json?: boolean;
}

/** Flags of commands that run something in a sandbox. */
export interface RunFlags {
  readonly env: Readonly<Record<string, string>>;
  readonly timeout: number;
  readonly workdir?: string;
}

/** Flags of commands that make a sandbox. */
export interface CreateFlags extends SecretFlags {
  readonly template: string;
  /** False for --no-internet. */
  readonly internet: boolean;
}

export function addCommonOptions(command: Command, jsonHelp = "print one JSON document"): Command {
  return addConnectionOptions(command).option("--json", jsonHelp);
}

/** @param variable the command's own environment, for `--env NAME` */
export function addEnvOption(command: Command, variable: (name: string) => string | undefined): Command {
  return command.option(
    "--env <name=value>",
    "environment variable; NAME alone takes the value it has here (may be repeated)",
    (text: string, known: Record<string, string>) => ({ ...known, ...parseEnv(text, variable) }),
    {},
  );
}

export function addRunOptions(command: Command, variable: (name: string) => string | undefined): Command {
  return addEnvOption(command, variable)
    .option(
      "--timeout <time>",
      `end the program after so long, at most ${maxExecSeconds}s`,
      parseRunTime,
      maxExecSeconds,
    )
    .option("--workdir <directory>", "where it runs (default /workspace)");
}

export function addCreateOptions(command: Command, template: string): Command {
  const created = command
    .option("--template <name>", "template of the sandbox", template)
    .addOption(new Option("--no-internet", "let nothing out of the sandbox"));
  return addSecretOptions(created);
}

function parseEnv(text: string, variable: (name: string) => string | undefined): Record<string, string> {
  const at = text.indexOf("=");
  const name = at === -1 ? text : text.slice(0, at);
  const value = at === -1 ? variable(name) : text.slice(at + 1);
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) throw new InvalidArgumentError("Say NAME=value, or NAME alone.");
  if (value === undefined) throw new InvalidArgumentError(`${name} has no value here. Say ${name}=value.`);
  return { [name]: value };
}

const unitSeconds = new Map([
  ["", 1],
  ["s", 1],
  ["m", 60],
  ["h", 3600],
  ["d", 86_400],
]);

/** Seconds from `90`, `90s`, `5m`, `2h`, `1d`. */
export function parseSeconds(text: string): number {
  const match = /^(\d{1,9})([smhd]?)$/.exec(text);
  const seconds = Number(match?.[1]) * (unitSeconds.get(match?.[2] ?? "") ?? Number.NaN);
  if (Number.isFinite(seconds)) return seconds;
  throw new InvalidArgumentError("A time looks like 90, 90s, 5m, 2h or 1d.");
}

function parseRunTime(text: string): number {
  const seconds = parseSeconds(text);
  if (seconds >= 1 && seconds <= maxExecSeconds) return seconds;
  throw new InvalidArgumentError(`From 1s to ${maxExecSeconds}s.`);
}

/** @throws CliError when a command that a person must be at is run without one */
export function needTerminal(present: boolean, instead: string): void {
  if (!present) throw new CliError(`Standard input and output are no terminal. ${instead}`, exitCodes.usage);
}
