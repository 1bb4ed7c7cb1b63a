import type { CompletionNode } from "./completion-tree.ts";

/** As one word of a shell. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, " ");
}

function fishCondition(path: readonly string[], children: readonly string[]): string {
  if (path.length === 0) return `not __fish_seen_subcommand_from ${children.join(" ")}`;
  const seen = path.map((word) => `__fish_seen_subcommand_from ${word}`).join("; and ");
  return children.length === 0 ? seen : `${seen}; and not __fish_seen_subcommand_from ${children.join(" ")}`;
}

/** A line for each command and each option. */
export function fish(nodes: readonly CompletionNode[]): string {
  const lines = nodes.flatMap(({ path, commands, options, values }) => {
    const names = commands.map(({ name }) => name);
    const seen = path.length === 0 ? fishCondition(path, names) : fishCondition(path, []);
    return [
      ...commands.map(
        ({ name, summary }) =>
          `complete -c bulkhead -f -n ${quoted(fishCondition(path, names))} -a ${name} -d ${quoted(oneLine(summary))}`,
      ),
      ...(values.length > 0 ? [`complete -c bulkhead -f -n ${quoted(seen)} -a ${quoted(values.join(" "))}`] : []),
      ...options.map(({ names: all, summary, valued, choices }) => {
        const flags = all
          .map((name) => (name.startsWith("--") ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`))
          .join(" ");
        const value = choices.length > 0 ? ` -x -a ${quoted(choices.join(" "))}` : valued ? " -r" : "";
        return `complete -c bulkhead -n ${quoted(seen)} ${flags}${value} -d ${quoted(oneLine(summary))}`;
      }),
    ];
  });
  return `# fish completion for bulkhead. Load it with: bulkhead completion fish | source\n${lines.join("\n")}\n`;
}
