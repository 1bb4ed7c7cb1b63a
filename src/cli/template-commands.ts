import type { Command } from "commander";
import type { Template } from "#contracts/control/templates.ts";
import { addCommonOptions, type CommonFlags } from "./options.ts";
import { json, table } from "./output.ts";
import type { CliDeps } from "./program.ts";

/** `templates`. */
export function addTemplateCommands(program: Command, deps: CliDeps): void {
  addCommonOptions(program.command("templates"))
    .summary("list templates")
    .description("List what sandboxes can be made from.")
    .addHelpText("after", "\nExamples:\n  bulkhead templates\n  bulkhead templates --json | jq -r '.[].name'")
    .action(async (flags: CommonFlags) => {
      const templates = await deps.connect(flags).templates();
      deps.output.out(flags.json === true ? json(templates) : templateTable(templates));
      for (const { name, problem } of templates) {
        if (problem !== undefined && flags.json !== true) deps.output.err(`bulkhead: ${name}: ${problem}`);
      }
    });
}

function templateTable(templates: readonly Template[]): string {
  if (templates.length === 0) return "No templates.";
  const rows = templates.map(({ name, status, default_resources: has, description }) => [
    name,
    status,
    String(has.vcpu),
    `${has.memory_mb} MB`,
    `${has.disk_gb} GB`,
    description,
  ]);
  return table(["NAME", "STATUS", "VCPU", "MEMORY", "DISK", "DESCRIPTION"], rows);
}
