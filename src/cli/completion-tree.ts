import type { Command } from "commander";

/** What can follow a word of the command line. */
export interface CompletionNode {
  /** Words after `bulkhead`: empty for the command itself. */
  readonly path: readonly string[];
  readonly summary: string;
  /** Names and aliases of subcommands. */
  readonly commands: readonly { readonly name: string; readonly summary: string }[];
  readonly options: readonly CompletionOption[];
  /** What an argument can be, where only these can be given. */
  readonly values: readonly string[];
}

export interface CompletionOption {
  /** `--env`, `-h`. */
  readonly names: readonly string[];
  readonly summary: string;
  /** Whether a value follows. */
  readonly valued: boolean;
  /** The values, where only these can follow. */
  readonly choices: readonly string[];
}

/** Every command and option of a program, each command under each of its names. */
export function completionTree(program: Command): readonly CompletionNode[] {
  return nodesOf(program, []);
}

function nodesOf(command: Command, path: readonly string[]): CompletionNode[] {
  const children = command.createHelp().visibleCommands(command);
  const named = children.flatMap((child) =>
    [child.name(), ...child.aliases()].map((name) => ({
      name,
      summary: child.summary() || child.description(),
      child,
    })),
  );
  const own: CompletionNode = {
    path,
    summary: command.summary() || command.description(),
    values: command.registeredArguments.flatMap(({ argChoices }) => argChoices ?? []),
    commands: named.map(({ name, summary }) => ({ name, summary })),
    options: command
      .createHelp()
      .visibleOptions(command)
      .map(({ short, long, description, required, optional, argChoices }) => ({
        names: [long, short].filter((name) => name !== undefined),
        summary: description,
        valued: required || optional,
        choices: argChoices ?? [],
      })),
  };
  return [own, ...named.flatMap(({ name, child }) => nodesOf(child, [...path, name]))];
}
