import { readFile } from "node:fs/promises";
import { type Command, Option } from "commander";
import { type NetworkPolicyBody, networkModes, putNetworkSchema } from "#contracts/control/network.ts";
import { CliError, exitCodes } from "../failure.ts";
import { addCommonOptions, type CommonFlags } from "../options.ts";
import { json } from "../output.ts";
import type { CliDeps } from "../program.ts";
import { networkText } from "./text.ts";

interface SetFlags extends CommonFlags {
  readonly mode?: NetworkPolicyBody["mode"];
  readonly allow?: readonly string[];
  readonly deny?: readonly string[];
  readonly file?: string;
}

/** `network show|set`. */
export function addNetworkCommands(program: Command, deps: CliDeps): void {
  const network = program
    .command("network")
    .summary("show or replace what a sandbox may reach")
    .description("The network policy of a sandbox: what it may reach. See also egress and policy suggest.");
  addCommonOptions(network.command("show"))
    .summary("show what a sandbox may reach")
    .description("Show a sandbox's network policy.")
    .argument("<sandbox>", "sandbox id")
    .action(async (id: string, flags: CommonFlags) => {
      const policy = await deps.connect(flags).network(id);
      deps.output.out(flags.json === true ? json(policy) : networkText(policy));
    });
  addCommonOptions(network.command("set"))
    .summary("replace what a sandbox may reach")
    .description(
      "Replace a sandbox's network policy. New connections follow it at once; open ones that it refuses are cut. A rule is a host, " +
        "*.host or an address range, with :port or :from-to; without a port an allowed rule means 80 and 443.",
    )
    .argument("<sandbox>", "sandbox id")
    .addOption(
      new Option("--mode <mode>", "default: allow-list with --allow, allow-all-but with --deny").choices(networkModes),
    )
    .option("--allow <rule...>", "what it may reach, and nothing else")
    .option("--deny <rule...>", "what it may not reach")
    .option("--file <path>", "the whole policy as JSON, - for standard input, e.g. from policy suggest")
    .addHelpText(
      "after",
      "\nExamples:\n  bulkhead network set ID --allow pypi.org files.pythonhosted.org\n  bulkhead network set ID --allow github.com:22\n" +
        "  bulkhead network set ID --mode deny-all\n  bulkhead policy suggest ID | bulkhead network set ID --file -",
    )
    .action(async (id: string, flags: SetFlags) => {
      const policy = await deps.connect(flags).setNetwork(id, await policyOf(flags, deps));
      deps.output.out(flags.json === true ? json(policy) : networkText(policy));
    });
}

/** @throws CliError for flags that contradict each other, or what is no policy */
async function policyOf({ mode, allow, deny, file }: SetFlags, deps: CliDeps): Promise<unknown> {
  const given = [file, allow, deny].filter((one) => one !== undefined);
  if (given.length > 1 || (given.length === 0 && mode === undefined)) {
    throw new CliError("Give one of --allow, --deny and --file, or --mode.", exitCodes.usage);
  }
  if (file !== undefined) {
    if (mode !== undefined) throw new CliError("The file says the mode.", exitCodes.usage);
    return parsePolicy(file === "-" ? await deps.readInput() : await readText(file));
  }
  const usual = allow !== undefined ? "allow-list" : "allow-all-but";
  return checked({ mode: mode ?? usual, rules: allow ?? deny ?? [] });
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch {
    throw new CliError(`${path} cannot be read.`, exitCodes.usage);
  }
}

function parsePolicy(text: string): unknown {
  try {
    return checked(JSON.parse(text));
  } catch (error) {
    if (error instanceof CliError) throw error;
    throw new CliError("The policy is not JSON.", exitCodes.usage);
  }
}

function checked(policy: unknown): unknown {
  const parsed = putNetworkSchema.safeParse(policy);
  if (parsed.success) return policy;
  const issues = parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);
  throw new CliError(`Not a network policy: ${issues.join("; ")}.`, exitCodes.usage);
}
