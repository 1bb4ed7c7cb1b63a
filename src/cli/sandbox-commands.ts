import type { Command } from "commander";
import { createRequest } from "./new-sandbox.ts";
import {
  addCommonOptions,
  addCreateOptions,
  addEnvOption,
  type CommonFlags,
  type CreateFlags,
  parseSeconds,
} from "./options.ts";
import { json } from "./output.ts";
import type { CliDeps } from "./program.ts";
import { sandboxFacts } from "./sandbox-table.ts";

interface Flags extends CommonFlags, CreateFlags {
  readonly timeout?: number;
  readonly idleTimeout?: number;
  readonly env: Readonly<Record<string, string>>;
}

/** `create`, `show` and `timeout`. */
export function addSandboxCommands(program: Command, deps: CliDeps): void {
  addCreateCommand(program, deps);
  addCommonOptions(program.command("show"))
    .summary("show one sandbox")
    .description("Show what is known of a sandbox.")
    .argument("<sandbox>", "id of the sandbox")
    .addHelpText("after", "\nExamples:\n  bulkhead show 1763382095i648uu1oab")
    .action(async (id: string, flags: CommonFlags) => {
      const sandbox = await deps.connect(flags).sandbox(id);
      deps.output.out(flags.json === true ? json(sandbox) : sandboxFacts(sandbox, deps.now()));
    });
  addCommonOptions(program.command("timeout"))
    .summary("set when a sandbox ends")
    .description("Set when a sandbox ends, counted from now; 0 for no timeout (idle time and longest life stay).")
    .argument("<sandbox>", "id of the sandbox")
    .argument("<time>", "90, 90s, 5m, 2h, 1d or 0", parseSeconds)
    .addHelpText("after", "\nExamples:\n  bulkhead timeout 1763382095i648uu1oab 2h")
    .action(async (id: string, seconds: number, flags: CommonFlags) => {
      const answer = await deps.connect(flags).setTimeout(id, seconds);
      deps.output.out(flags.json === true ? json(answer) : `${id} ends at ${answer.expires_at}`);
    });
}

function addCreateCommand(program: Command, deps: CliDeps): void {
  const command = addCommonOptions(program.command("create"))
    .summary("make a sandbox")
    .description("Make a sandbox and print its id.")
    .option("--timeout <time>", "end it after so long (default: only idle time and longest life end it)", parseSeconds)
    .option("--idle-timeout <time>", "end it when nothing was done with it for so long", parseSeconds);
  addEnvOption(addCreateOptions(command, "base"), deps.variable)
    .addHelpText(
      "after",
      "\nExamples:\n  bulkhead create\n  id=$(bulkhead create --template code-interpreter --timeout 1h --env TOKEN)\n  bulkhead create --broker GITHUB_TOKEN=github#token@api.github.com",
    )
    .action(async (flags: Flags) => {
      const { env, timeout, idleTimeout } = flags;
      const request = createRequest(flags, {
        env_vars: { ...env },
        ...(timeout !== undefined && { timeout_seconds: timeout }),
        ...(idleTimeout !== undefined && { idle_timeout_seconds: idleTimeout }),
      });
      // The token stays out of sight: every command gets its own.
      const sandbox = { ...(await deps.connect(flags).create(request)), auth_token: undefined };
      deps.output.out(flags.json === true ? json(sandbox) : sandbox.id);
    });
}
