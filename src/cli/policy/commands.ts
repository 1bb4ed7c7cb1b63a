import { type Command, Option } from "commander";
import { allRows } from "../egress/rows.ts";
import { addCommonOptions, type CommonFlags } from "../options.ts";
import { json, printable } from "../output.ts";
import type { CliDeps } from "../program.ts";
import { cdkSnippet } from "./cdk-snippet.ts";
import { suggestPolicy } from "./suggest.ts";

interface Flags extends CommonFlags {
  readonly cdk?: boolean;
  readonly wildcards?: boolean;
  readonly includeDenied?: boolean;
}

/** `policy suggest`. */
export function addPolicyCommands(program: Command, deps: CliDeps): void {
  const policy = program
    .command("policy")
    .summary("suggest a network policy from what a sandbox connected to")
    .description("Network policies.");
  addCommonOptions(policy.command("suggest"), "print the policy as JSON (as without a flag)")
    .summary("print the smallest allow-list for what a sandbox connected to")
    .description(
      "Print the smallest allow-list that lets through what a sandbox has connected to so far, for a sandbox whose network mode is observe, say. Remarks go to standard error.",
    )
    .argument("<sandbox>", "id of the sandbox; it may have ended")
    .addOption(new Option("--cdk", "print TypeScript for a deployment's configuration instead").conflicts("json"))
    .option("--wildcards", "one *.parent for three and more names of one parent")
    .option("--include-denied", "also what was refused")
    .addHelpText(
      "after",
      "\nExamples:\n  bulkhead policy suggest 1763382095i648uu1oab > policy.json\n  bulkhead policy suggest 1763382095i648uu1oab --wildcards --cdk",
    )
    .action(async (sandbox: string, flags: Flags) => {
      const { rows } = await allRows(deps.connect(flags).egress, { sandbox });
      const suggestion = suggestPolicy(rows, {
        wildcards: flags.wildcards === true,
        includeDenied: flags.includeDenied === true,
      });
      deps.output.out(flags.cdk === true ? cdkSnippet(suggestion.policy, sandbox) : json(suggestion.policy));
      for (const note of suggestion.notes) deps.output.err(`bulkhead: ${printable(note)}`);
    });
}
