import type { Command } from "commander";
import { processesResponseSchema } from "#contracts/agent/info.ts";
import { connectAgent } from "./agent.ts";
import { addCommonOptions, type CommonFlags } from "./options.ts";
import { json, span, table } from "./output.ts";
import { backgroundProcesses } from "./processes.ts";
import type { CliDeps } from "./program.ts";

interface Flags extends CommonFlags {
  readonly background?: boolean;
}

/** `ps`. */
export function addProcessCommands(program: Command, deps: CliDeps): void {
  addCommonOptions(program.command("ps"))
    .summary("list processes of a sandbox")
    .description("List the processes of a sandbox, or those that were started in the background, running and ended.")
    .argument("<sandbox>", "id of the sandbox")
    .option("--background", "only what was started in the background, with the ids that bulkhead logs takes")
    .addHelpText(
      "after",
      "\nExamples:\n  bulkhead ps 1763382095i648uu1oab\n  bulkhead ps 1763382095i648uu1oab --background",
    )
    .action(async (sandbox: string, flags: Flags) => {
      const agent = await connectAgent(deps.connect(flags), sandbox);
      if (flags.background === true) {
        const found = await backgroundProcesses(agent);
        const rows = found.map(({ process_id, name, status, exit_code, started_at, start_time }) => {
          const started = Date.parse(started_at ?? start_time ?? "");
          const age = Number.isNaN(started) ? "-" : span(deps.now() - started);
          return [
            process_id,
            status,
            exit_code === null || exit_code === undefined ? "-" : String(exit_code),
            age,
            name ?? "",
          ];
        });
        deps.output.out(flags.json === true ? json(found) : table(["ID", "STATUS", "EXIT", "AGE", "NAME"], rows));
        return;
      }
      const { processes } = await agent.call("GET", "/processes", processesResponseSchema);
      const rows = processes.map(({ pid, status, cpu_percent, memory_mb, command, name }) => [
        String(pid),
        status,
        cpu_percent.toFixed(1),
        `${memory_mb.toFixed(1)} MB`,
        command || name,
      ]);
      deps.output.out(
        flags.json === true ? json(processes) : table(["PID", "STATUS", "CPU %", "MEMORY", "COMMAND"], rows),
      );
    });
}
