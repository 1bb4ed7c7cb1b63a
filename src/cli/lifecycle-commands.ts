import type { Command } from "commander";
import type { ConnectionFlags } from "./connection.ts";
import type { Transition } from "./control-plane.ts";
import { CliError, exitCodes } from "./failure.ts";
import { addCommonOptions, type CommonFlags } from "./options.ts";
import { json } from "./output.ts";
import type { CliDeps } from "./program.ts";

const texts: Readonly<Record<Exclude<Transition, "start">, readonly [summary: string, description: string]>> = {
  pause: [
    "freeze sandboxes",
    "Freeze every process of sandboxes. Memory is kept and no time counts as idle; resume goes on where they were.",
  ],
  resume: ["let paused sandboxes go on", "Let paused sandboxes go on where they were."],
  stop: [
    "stop sandboxes and keep their files",
    'Stop sandboxes: processes end, files are kept. "bulkhead start ID" starts them again.',
  ],
};

/** `pause`, `resume` and `stop`; `start` is the platform's, which takes sandboxes too. */
export function addLifecycleCommands(program: Command, deps: CliDeps): void {
  for (const transition of ["pause", "resume", "stop"] as const) {
    const [summary, description] = texts[transition];
    addCommonOptions(program.command(transition))
      .summary(summary)
      .description(description)
      .argument("<sandbox...>", "sandbox ids, as bulkhead ls shows them")
      .addHelpText("after", `\nExamples:\n  bulkhead ${transition} 1763382095i648uu1oab`)
      .action(async (ids: readonly string[], flags: CommonFlags) => {
        await changeAll(transition, ids, flags, deps);
      });
  }
}

/** Tries all; the exit code is that of the failure that weighs most. */
export async function changeAll(
  to: Transition,
  ids: readonly string[],
  flags: CommonFlags & ConnectionFlags,
  deps: CliDeps,
) {
  const controlPlane = deps.connect(flags);
  const done: object[] = [];
  let exitCode: number = exitCodes.ok;
  for (const id of ids) {
    try {
      const { status, compute_billed } = await controlPlane.change(id, to);
      done.push({ id, status, compute_billed, problem: null });
      if (flags.json !== true) {
        deps.output.out(`${id} ${status}`);
        if (to === "pause" && compute_billed === true) {
          deps.output.err(
            `bulkhead: ${id} keeps its memory, and its price; "bulkhead stop" ends both and keeps its files`,
          );
        }
      }
    } catch (error) {
      if (!(error instanceof CliError)) throw error;
      done.push({ id, status: null, problem: error.message });
      exitCode = Math.max(exitCode, error.exitCode);
      if (flags.json !== true) deps.output.err(`bulkhead: cannot ${to} ${id}: ${error.message}`);
    }
  }
  if (flags.json === true) deps.output.out(json(done));
  deps.setExitCode(exitCode);
}
