import { Argument, type Command } from "commander";
import { completionScript, type Shell, shells } from "./completion-scripts.ts";
import { completionTree } from "./completion-tree.ts";
import { json } from "./output.ts";
import type { CliDeps } from "./program.ts";

/** `completion`. */
export function addCompletionCommand(program: Command, deps: CliDeps): void {
  program
    .command("completion")
    .summary("print a script that completes commands and options in a shell")
    .description("Print a script that completes commands and options of this command in a shell.")
    .addArgument(new Argument("<shell>", "which shell").choices(shells))
    .option("--json", "print one JSON document of all commands and options instead")
    .addHelpText(
      "after",
      "\nExamples:\n  source <(bulkhead completion bash)\n  source <(bulkhead completion zsh)\n  bulkhead completion fish | source",
    )
    .action((shell: Shell, flags: { readonly json?: boolean }) => {
      const nodes = completionTree(program);
      deps.output.out(flags.json === true ? json(nodes) : completionScript(shell, nodes).trimEnd());
    });
}
