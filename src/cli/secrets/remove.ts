import { CliError, exitCodes } from "../failure.ts";
import type { CommonFlags } from "../options.ts";
import { json } from "../output.ts";
import type { CliDeps } from "../program.ts";

/** Tries all; the exit code is that of the failure that weighs most. */
export async function removeAll(names: readonly string[], flags: CommonFlags, deps: CliDeps): Promise<void> {
  const controlPlane = deps.connect(flags);
  const done: object[] = [];
  let exitCode: number = exitCodes.ok;
  for (const name of names) {
    try {
      await controlPlane.removeSecret(name);
      done.push({ name, removed: true, problem: null });
      if (flags.json !== true) deps.output.out(`${name} removed`);
    } catch (error) {
      if (!(error instanceof CliError)) throw error;
      done.push({ name, removed: false, problem: error.message });
      exitCode = Math.max(exitCode, error.exitCode);
      if (flags.json !== true) deps.output.err(`bulkhead: cannot remove ${name}: ${error.message}`);
    }
  }
  if (flags.json === true) deps.output.out(json(done));
  deps.setExitCode(exitCode);
}
