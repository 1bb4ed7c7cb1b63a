import { basename, extname } from "node:path";
import type { Command } from "commander";
import type { Agent } from "./agent.ts";
import { parseFileOption } from "./copy/paths.ts";
import { copyUp } from "./copy/upload.ts";
import { createRequest, inNewSandbox } from "./new-sandbox.ts";
import {
  addCommonOptions,
  addCreateOptions,
  addRunOptions,
  type CommonFlags,
  type CreateFlags,
  type RunFlags,
} from "./options.ts";
import { savePictures } from "./pictures.ts";
import type { CliDeps } from "./program.ts";
import { chooseLanguage, readSource } from "./run-source.ts";
import { showFrame } from "./show-frames.ts";
import { type ResultFrame, runStream } from "./stream.ts";

interface Flags extends CommonFlags, CreateFlags, RunFlags {
  readonly language?: string;
  readonly keep?: boolean;
  readonly out: string;
  readonly file: readonly string[];
}

/** For a sandbox whose command was killed and could not clean up. */
const graceSeconds = 600;

/** `run`. */
export function addRunCommand(program: Command, deps: CliDeps): void {
  const command = program
    .command("run")
    .summary("run a program in a sandbox of its own")
    .description(
      "Make a sandbox, run a program in it, show its output as it comes, save its pictures, and kill the sandbox. Ends with the program's exit code (124: its time was over).",
    )
    .argument("<file>", "program to run; - reads it from standard input")
    .option(
      "--language <language>",
      "python, javascript, typescript, bash or go (default by the file's extension; python for -)",
    )
    .option("--file <local[:remote]>", "put a file or directory into the sandbox first (may be repeated)", collect, [])
    .option("--out <directory>", "where pictures (png, svg, html) are saved", ".")
    .option("--keep", "leave the sandbox running");
  addCommonOptions(
    addRunOptions(addCreateOptions(command, "code-interpreter"), deps.variable),
    "print one JSON object per line: output as it comes, the result last",
  )
    .addHelpText(
      "after",
      "\nExamples:\n  bulkhead run examples/plot.py\n  echo 'console.log(6 * 7)' | bulkhead run - --language javascript\n  bulkhead run train.py --file data.csv --env TOKEN --timeout 2m --out pictures",
    )
    .action(async (file: string, flags: Flags) => {
      deps.setExitCode(await run(file, flags, deps));
    });
}

function collect(text: string, known: readonly string[]): readonly string[] {
  return [...known, text];
}

async function run(file: string, flags: Flags, deps: CliDeps): Promise<number> {
  const language = chooseLanguage(file, flags.language);
  const uploads = flags.file.map(parseFileOption);
  const code = await readSource(file, deps);
  const controlPlane = deps.connect(flags);
  const keep = flags.keep === true;
  const request = createRequest(flags, keep ? {} : { timeout_seconds: flags.timeout + graceSeconds });
  return deps.interrupts.during((signal) =>
    inNewSandbox({ controlPlane, request, keep, output: deps.output, signal }, async (agent) => {
      const note = (text: string): void => deps.output.err(`bulkhead: ${text}`);
      const quiet = () => ({ file: () => undefined, add: () => undefined, end: () => undefined });
      for (const { local, remote } of uploads)
        await copyUp(local, remote, false, { agent, signal, note, progress: quiet });
      const { env, timeout, workdir } = flags;
      const frame = { type: "execute", code, language, env, timeout, ...(workdir !== undefined && { workdir }) };
      const onFrame: Parameters<typeof runStream>[1]["onFrame"] = (one) =>
        showFrame(one, deps.output, flags.json === true);
      return finish(
        await runStream(agent, { path: "/execute/stream", frame, onFrame, signal }),
        file,
        agent,
        flags,
        deps,
      );
    }),
  );
}

async function finish(
  result: ResultFrame,
  file: string,
  agent: Agent,
  flags: Flags,
  { output }: CliDeps,
): Promise<number> {
  const name = file === "-" ? "stdin" : basename(file, extname(file));
  const saved = await savePictures(result, flags.out, name);
  if (flags.json === true) {
    output.out(JSON.stringify({ ...result, sandbox_id: agent.sandboxId, saved }));
  } else {
    for (const path of saved) output.err(`bulkhead: saved ${path}`);
  }
  return result.exit_code;
}
