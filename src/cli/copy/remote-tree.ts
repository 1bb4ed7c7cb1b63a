import { fileExistsResponseSchema } from "#contracts/agent/files.ts";
import type { Agent } from "../agent.ts";
import { CliError, exitCodes } from "../failure.ts";
import { runStream } from "../stream.ts";
import { type Entry, maxEntries, type Tree } from "./local-tree.ts";
import { staysBelow } from "./paths.ts";

export async function remoteKind(
  agent: Agent,
  path: string,
  signal: AbortSignal,
): Promise<"directory" | "file" | "none"> {
  const query = new URLSearchParams({ path }).toString();
  const answer = await agent.call("GET", `/files/exists?${query}`, fileExistsResponseSchema, { signal });
  if (!answer.exists) return "none";
  return answer.is_directory === true ? "directory" : "file";
}

/**
 * Listed by `find`, which tells links from what they lead to.
 * @throws CliError for names that would lead out of the target, and what is not there
 */
export async function remoteTree(agent: Agent, path: string, signal: AbortSignal): Promise<Tree> {
  const kind = await remoteKind(agent, path, signal);
  if (kind === "none") throw new CliError(`${agent.sandboxId}:${path} is not there.`, exitCodes.notFound);
  const script = 'exec find -H "$1" -mindepth 1 -printf "%y\\0%m\\0%s\\0%P\\0"';
  const file = 'exec find -H "$1" -maxdepth 0 -printf "f\\0%m\\0%s\\0\\0"';
  const args = ["-c", kind === "directory" ? script : file, "sh", path];
  const reader = makeReader();
  let problem = "";
  const result = await runStream(agent, {
    path: "/commands/stream",
    frame: { command: "/bin/sh", args, timeout: 300 },
    signal,
    onFrame(frame) {
      if (frame.type === "stdout") reader.add(frame.data);
      if (frame.type === "stderr") problem = (problem + frame.data).slice(0, 2000);
      return undefined;
    },
  });
  if (result.exit_code !== 0) throw new CliError(`${agent.sandboxId}:${path} cannot be listed: ${problem.trim()}`);
  return { root: { directory: kind === "directory" }, ...reader };
}

/** Takes in text that ends anywhere. */
export function makeReader() {
  const entries: Entry[] = [];
  const skipped: string[] = [];
  let rest = "";
  const take = ([kind = "", mode = "", size = "", relative = ""]: readonly string[]): void => {
    if (relative !== "" && !staysBelow(relative)) {
      throw new CliError(
        `The sandbox lists ${JSON.stringify(relative)}, which leads out of the target. Nothing was copied.`,
      );
    }
    if (entries.length >= maxEntries) throw new CliError(`There are more than ${maxEntries} entries.`);
    if (kind !== "f" && kind !== "d") skipped.push(relative);
    else
      entries.push({
        relative,
        directory: kind === "d",
        size: kind === "d" ? 0 : Number(size),
        mode: Number.parseInt(mode, 8) & 0o777,
      });
  };
  return {
    entries,
    skipped,
    add(text: string): void {
      const fields = (rest + text).split("\0");
      const whole = Math.floor((fields.length - 1) / 4) * 4;
      for (let from = 0; from < whole; from += 4) take(fields.slice(from, from + 4));
      rest = fields.slice(whole).join("\0");
    },
  };
}
