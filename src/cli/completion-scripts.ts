import { fish, quoted } from "./completion-fish.ts";
import type { CompletionNode, CompletionOption } from "./completion-tree.ts";

export const shells = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof shells)[number];

function valuedNames({ options }: CompletionNode): readonly string[] {
  return options.filter(({ valued }) => valued).flatMap(({ names }) => names);
}

function choicesCase(option: CompletionOption, answer: (words: string) => string): string {
  return `      ${option.names.join("|")}) ${answer(option.choices.join(" "))} ;;`;
}

/**
 * The words before the cursor name a command; options and their values do not count. Then: the choices of an option that waits for
 * its value, options after a dash, else subcommands. What is left is completed with file names by the shell.
 */
function walker(nodes: readonly CompletionNode[]): string {
  const steps = nodes
    .filter(({ path }) => path.length > 0)
    .map(({ path }) => `      ${quoted(path.join(" "))}) at="$next" ;;`);
  const valued = [...new Set(nodes.flatMap(valuedNames))];
  return `  local at="" next word skip=""
  for word in "\${before[@]}"; do
    if [ -n "$skip" ]; then skip=""; continue; fi
    case "$word" in
      --) return 0 ;;
      ${valued.join("|")}) skip=1; continue ;;
      -*) continue ;;
    esac
    next="\${at:+$at }$word"
    case "$next" in
${steps.join("\n")}
    esac
  done`;
}

function tables(nodes: readonly CompletionNode[]): string {
  const cases = nodes.map((node) => {
    const { path, options, commands } = node;
    const optionWords = options.flatMap(({ names }) => names).join(" ");
    const commandWords = [...commands.map(({ name }) => name), ...node.values].join(" ");
    const choices = options
      .filter((option) => option.choices.length > 0)
      .map((option) => choicesCase(option, (words) => `choices=${quoted(words)}`));
    const values = valuedNames(node);
    return [
      `    ${quoted(path.join(" "))})`,
      `      options=${quoted(optionWords)}; commands=${quoted(commandWords)}`,
      ...(values.length > 0
        ? [`      case "$previous" in`, ...choices, `      ${values.join("|")}) files=1 ;;`, "      esac"]
        : []),
      "      ;;",
    ].join("\n");
  });
  return `  local options="" commands="" choices="" files=""
  case "$at" in
${cases.join("\n")}
  esac`;
}

function bash(nodes: readonly CompletionNode[]): string {
  return `# bash completion for bulkhead. Load it with: source <(bulkhead completion bash)
_bulkhead() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD - 1]}"
  local before=("\${COMP_WORDS[@]:1:COMP_CWORD-1}")
  COMPREPLY=()
${walker(nodes)}
${tables(nodes)}
  local words="$commands"
  case "$current" in -*) words="$options" ;; esac
  if [ -n "$choices" ]; then words="$choices"; elif [ -n "$files" ]; then return 0; fi
  local IFS=$' \\t\\n'
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o bashdefault -o default -F _bulkhead bulkhead
`;
}

function zsh(nodes: readonly CompletionNode[]): string {
  return `#compdef bulkhead
# zsh completion for bulkhead. Load it with: source <(bulkhead completion zsh)
_bulkhead() {
  setopt localoptions shwordsplit ksharrays
  local current="\${words[CURRENT-1]}" previous="\${words[CURRENT-2]}"
  local -a before
  before=("\${words[@]:1:CURRENT-2}")
${walker(nodes)}
${tables(nodes)}
  local offered="$commands"
  case "$current" in -*) offered="$options" ;; esac
  if [ -n "$choices" ]; then offered="$choices"; elif [ -n "$files" ]; then offered=""; fi
  if [ -n "$offered" ]; then compadd -- $offered; else unsetopt ksharrays shwordsplit; _files; fi
}
compdef _bulkhead bulkhead
`;
}

/** Source of a completion script. */
export function completionScript(shell: Shell, nodes: readonly CompletionNode[]): string {
  return { bash, zsh, fish }[shell](nodes);
}
