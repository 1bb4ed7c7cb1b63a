import type { Command } from "commander";
import { type Agent, connectAgent } from "./agent.ts";
import { CliError, exitCodes } from "./failure.ts";
import { addCommonOptions, type CommonFlags } from "./options.ts";
import { printable } from "./output.ts";
import { type BackgroundOutput, backgroundOutput, backgroundProcesses, hasEnded } from "./processes.ts";
import type { CliDeps } from "./program.ts";

interface Flags extends CommonFlags {
  readonly process?: string;
  readonly follow?: boolean;
}

const everyMs = 500;

/** `logs`. */
export function addLogsCommand(program: Command, deps: CliDeps): void {
  addCommonOptions(program.command("logs"), "print one JSON object per line: output, and how each process ended")
    .summary("show output of background processes")
    .description(
      "Show what background processes of a sandbox have written, as far as it is kept. With --follow the exit code is that of the process.",
    )
    .argument("<sandbox>", "id of the sandbox")
    .option("--process <id>", "only this one (bulkhead ps --background lists them)")
    .option("--follow", "go on until the process has ended, or Ctrl-C")
    .addHelpText(
      "after",
      "\nExamples:\n  bulkhead logs 1763382095i648uu1oab\n  bulkhead logs 1763382095i648uu1oab --process proc_1a2b --follow",
    )
    .action(async (sandbox: string, flags: Flags) => {
      const controlPlane = deps.connect(flags);
      await deps.interrupts.during(async (signal) => {
        const agent = await connectAgent(controlPlane, sandbox);
        const ids = await idsOf(agent, flags, signal);
        for (const id of ids) {
          const heading = ids.length > 1 && flags.json !== true;
          const code = await showLog({ agent, id, heading, flags, deps, signal });
          if (flags.follow === true) deps.setExitCode(code);
        }
        if (ids.length === 0) deps.output.err("bulkhead: nothing was started in the background");
      });
    });
}

async function idsOf(agent: Agent, flags: Flags, signal: AbortSignal): Promise<readonly string[]> {
  if (flags.process !== undefined) return [flags.process];
  const ids = (await backgroundProcesses(agent, signal)).map(({ process_id }) => process_id);
  if (flags.follow !== true || ids.length <= 1) return ids;
  throw new CliError(`Which one? Say it with --process: ${ids.map(printable).join(", ")}.`, exitCodes.usage);
}

interface LogOptions {
  readonly agent: Agent;
  readonly id: string;
  readonly heading: boolean;
  readonly flags: Flags;
  readonly deps: CliDeps;
  readonly signal: AbortSignal;
}

/** @returns the exit code of the process, 0 while it runs */
async function showLog({ agent, id, heading, flags, deps, signal }: LogOptions): Promise<number> {
  if (heading) deps.output.err(`==> ${printable(id)} <==`);
  const shown = { stdout: "", stderr: "" };
  for (;;) {
    const found = await backgroundOutput(agent, id, signal);
    for (const stream of ["stdout", "stderr"] as const) {
      const data = newPart(shown[stream], found[stream]);
      shown[stream] = found[stream];
      if (data === "") continue;
      const text = flags.json === true ? `${JSON.stringify({ type: stream, process_id: id, data })}\n` : data;
      await deps.output.raw(flags.json === true ? "stdout" : stream, text);
    }
    if (hasEnded(found) || flags.follow !== true) return tellEnd(found, id, flags, deps);
    await deps.sleep(everyMs, signal);
  }
}

function tellEnd(found: BackgroundOutput, id: string, flags: Flags, { output }: CliDeps): number {
  if (flags.json === true)
    output.out(JSON.stringify({ type: "process", ...found, stdout: undefined, stderr: undefined }));
  else if (flags.follow === true) {
    const code = found.exit_code;
    output.err(
      `bulkhead: ${printable(id)} ${found.status}${typeof code === "number" ? ` with exit code ${code}` : ""}`,
    );
  }
  return hasEnded(found) ? (found.exit_code ?? exitCodes.other) : exitCodes.ok;
}

/** What came after `before`. Of output whose begin was dropped meanwhile: what is not known to have been shown. */
export function newPart(before: string, now: string): string {
  if (now.startsWith(before)) return now.slice(before.length);
  const tail = before.slice(-256);
  const at = tail === "" ? -1 : now.lastIndexOf(tail);
  return at === -1 ? now : now.slice(at + tail.length);
}
