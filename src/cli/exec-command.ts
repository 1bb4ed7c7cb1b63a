import type { Command } from "commander";
import { connectAgent } from "./agent.ts";
import { addCommonOptions, addRunOptions, type CommonFlags, type RunFlags } from "./options.ts";
import type { CliDeps } from "./program.ts";
import { showFrame } from "./show-frames.ts";
import { runStream } from "./stream.ts";

/** `exec`. */
export function addExecCommand(program: Command, deps: CliDeps): void {
  const command = program
    .command("exec")
    .summary("run a command in a sandbox")
    .description(
      "Run a command in a sandbox and show its output as it comes; it has no standard input. Ends with the command's exit code (124: its time was over). Ctrl-C ends it.",
    )
    .argument("<sandbox>", "id of the sandbox")
    .argument("<command...>", "program and arguments, after --");
  addCommonOptions(
    addRunOptions(command, deps.variable),
    "print one JSON object per line: output as it comes, the result last",
  )
    .addHelpText(
      "after",
      "\nExamples:\n  bulkhead exec 1763382095i648uu1oab -- ls -la /workspace\n  bulkhead exec 1763382095i648uu1oab -- sh -c 'echo $HOME; exit 3'",
    )
    .action(async (sandbox: string, words: readonly string[], flags: CommonFlags & RunFlags) => {
      deps.setExitCode(await execute(sandbox, words, flags, deps));
    });
}

async function execute(sandbox: string, words: readonly string[], flags: CommonFlags & RunFlags, deps: CliDeps) {
  const controlPlane = deps.connect(flags);
  const { env, timeout, workdir } = flags;
  const frame = { ...commandOf(words), env, timeout, ...(workdir !== undefined && { workdir }) };
  const result = await deps.interrupts.during(async (signal) =>
    runStream(await connectAgent(controlPlane, sandbox), {
      path: "/commands/stream",
      frame,
      signal,
      onFrame: (one) => showFrame(one, deps.output, flags.json === true),
    }),
  );
  if (flags.json === true) deps.output.out(JSON.stringify({ ...result, sandbox_id: sandbox }));
  return result.exit_code;
}

/** Without arguments the agent would take the command for a line of a shell. */
export function commandOf([command = "", ...args]: readonly string[]) {
  return args.length > 0 ? { command, args } : { command: "/bin/sh", args: ["-c", 'exec "$0"', command] };
}
