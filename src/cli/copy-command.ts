import type { Command } from "commander";
import { connectAgent } from "./agent.ts";
import { copyDown } from "./copy/download.ts";
import { type Place, parsePlace, type RemotePlace } from "./copy/paths.ts";
import { bytesText, makeProgress } from "./copy/progress.ts";
import { type Copied, type CopyContext, copyUp } from "./copy/upload.ts";
import { CliError, exitCodes } from "./failure.ts";
import { addCommonOptions, type CommonFlags } from "./options.ts";
import { json } from "./output.ts";
import type { CliDeps } from "./program.ts";

/** `cp`. */
export function addCopyCommand(program: Command, deps: CliDeps): void {
  addCommonOptions(program.command("cp"))
    .summary("copy files and directories into and out of a sandbox")
    .description(
      "Copy a file or a directory into a sandbox or out of one. ID:/path is in the sandbox, relative paths there start in /workspace. Into an existing directory, or a name that ends with a slash, it is copied under its own name. Symbolic links are not followed inside directories.",
    )
    .argument("<source>", "file or directory: PATH or ID:PATH")
    .argument("<target>", "where to: PATH or ID:PATH")
    .addHelpText(
      "after",
      "\nExamples:\n  bulkhead cp data.csv 1763382095i648uu1oab:\n  bulkhead cp ./project 1763382095i648uu1oab:/workspace/project\n  bulkhead cp 1763382095i648uu1oab:results ./results\n  bulkhead cp ./with:colon 1763382095i648uu1oab:/tmp/",
    )
    .action(async (source: string, target: string, flags: CommonFlags) => {
      const copied = await copy(parsePlace(source), parsePlace(target), flags, deps);
      if (flags.json === true) {
        deps.output.out(json(copied));
      } else {
        const { files, bytes, target: where } = copied;
        deps.output.err(
          `bulkhead: copied ${files} ${files === 1 ? "file" : "files"}, ${bytesText(bytes)}, to ${where}`,
        );
      }
    });
}

async function copy(source: Place, target: Place, flags: CommonFlags, deps: CliDeps): Promise<Copied> {
  const remote = onlyRemote(source, target);
  const controlPlane = deps.connect(flags);
  return deps.interrupts.during(async (signal) => {
    const context: CopyContext = {
      agent: await connectAgent(controlPlane, remote.sandboxId),
      signal,
      progress: (total) => makeProgress(deps.output, () => deps.now(), total),
      note: (text) => deps.output.err(`bulkhead: ${text}`),
    };
    if (source.kind === "remote") return copyDown(source.path, target.path, context);
    return copyUp(source.path, remote.path, remote.intoDirectory, context);
  });
}

function onlyRemote(source: Place, target: Place): RemotePlace {
  if (source.kind === "remote" && target.kind === "local") return source;
  if (source.kind === "local" && target.kind === "remote") return target;
  const between =
    source.kind === "remote" ? "Both are in a sandbox: copy to this machine first." : "Neither is in a sandbox.";
  throw new CliError(`${between} One of source and target must be ID:PATH.`, exitCodes.usage);
}
