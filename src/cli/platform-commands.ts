import type { Command } from "commander";
import { parsePool, parsePort } from "./arguments.ts";
import { CliError, exitCodes } from "./failure.ts";
import { changeAll } from "./lifecycle-commands.ts";
import { addCommonOptions, type CommonFlags } from "./options.ts";
import type { CliDeps } from "./program.ts";

interface StartFlags extends CommonFlags {
  readonly port?: number;
  readonly gatewayPort?: number;
  readonly home?: string;
  readonly pool?: string;
  readonly allowUnenforced?: boolean;
  /** false for --no-code-interpreter */
  readonly codeInterpreter: boolean;
  readonly verbose?: boolean;
}

/** `start` and `doctor`: flags become the environment of dist/local.mjs, which does the work. */
export function addPlatformCommands(program: Command, deps: CliDeps): void {
  addStartCommand(program, deps);
  program
    .command("doctor")
    .summary("say what this host can enforce, and what to do about the rest")
    .description(
      "Probe this host: what isolates a sandbox here, which limits are enforced and by what, and what is missing.",
    )
    .option("--home <directory>", "data directory (default .bulkhead)")
    .option("--json", "print one JSON document")
    .addHelpText("after", "\nExamples:\n  bulkhead doctor\n  sudo bulkhead doctor --json")
    .action(async (flags: { readonly home?: string; readonly json?: boolean }) => {
      const environment = flags.home === undefined ? {} : { BULKHEAD_HOME: flags.home };
      deps.setExitCode(await deps.runPlatform("doctor", flags.json === true ? ["--json"] : [], environment));
    });
}

function addStartCommand(program: Command, deps: CliDeps): void {
  addCommonOptions(program.command("start"), "with sandboxes: print one JSON document")
    .summary("run the platform on this machine until Ctrl-C, or start stopped sandboxes")
    .description(
      "Run the platform on this machine, in the foreground. Ctrl-C ends every sandbox and leaves nothing behind. With ids: start these stopped sandboxes, on a platform that runs.",
    )
    .argument("[sandbox...]", "ids of stopped sandboxes")
    .option("--port <port>", "port of the control plane on 127.0.0.1 (default 8080)", parsePort)
    .option("--gateway-port <port>", "port of the gateway on 127.0.0.1 (default 8081)", parsePort)
    .option("--home <directory>", "data directory (default .bulkhead)")
    .option("--pool <sizes>", "warm instances per template, e.g. base=2,code-interpreter=1", parsePool)
    .option("--allow-unenforced", "run sandboxes even where this host cannot enforce one of their limits")
    .option("--no-code-interpreter", "leave the code-interpreter template out (no Python packages are installed)")
    .option("--verbose", "log at debug level")
    .addHelpText(
      "after",
      "\nExamples:\n  bulkhead start\n  bulkhead start --port 9080 --gateway-port 9081 --home /var/lib/bulkhead\n  bulkhead start --pool base=100 --no-code-interpreter\n  bulkhead start 1763382095i648uu1oab",
    )
    .action(async (ids: readonly string[], flags: StartFlags) => {
      await start(ids, flags, deps);
    });
}

async function start(ids: readonly string[], flags: StartFlags, deps: CliDeps): Promise<void> {
  const { url, apiKey, json } = flags;
  const environment = startEnvironment(flags);
  if (ids.length > 0) {
    if (Object.keys(environment).length > 0) {
      throw new CliError("Flags of the platform do not go with sandboxes: leave one of them out.", exitCodes.usage);
    }
    await changeAll("start", ids, flags, deps);
    return;
  }
  if (url !== undefined || apiKey !== undefined || json !== undefined) {
    throw new CliError("--url, --api-key and --json go with the ids of sandboxes to start.", exitCodes.usage);
  }
  deps.setExitCode(await deps.runPlatform("start", [], environment));
}

/** The variables src/local/main.ts reads, for the flags that were given; the others keep what the environment says. */
export function startEnvironment(flags: StartFlags): Record<string, string> {
  return {
    ...(flags.port !== undefined && { BULKHEAD_PORT: String(flags.port) }),
    ...(flags.gatewayPort !== undefined && { BULKHEAD_GATEWAY_PORT: String(flags.gatewayPort) }),
    ...(flags.home !== undefined && { BULKHEAD_HOME: flags.home }),
    ...(flags.pool !== undefined && { BULKHEAD_POOL: flags.pool }),
    ...(flags.allowUnenforced === true && { BULKHEAD_ALLOW_UNENFORCED: "1" }),
    ...(!flags.codeInterpreter && { BULKHEAD_CODE_INTERPRETER: "0" }),
    ...(flags.verbose === true && { BULKHEAD_LOG: "debug" }),
  };
}
