import { basename, join, posix, resolve } from "node:path";
import { fileResponseSchema } from "#contracts/agent/files.ts";
import type { Agent } from "../agent.ts";
import { eachOf } from "./each.ts";
import { localTree, sizeOf, type Tree } from "./local-tree.ts";
import type { Progress } from "./progress.ts";
import { remoteKind } from "./remote-tree.ts";
import { command, uploadFile } from "./upload-file.ts";

export interface CopyContext {
  readonly agent: Agent;
  readonly signal: AbortSignal;
  /** Begins to tell, for so many bytes in all. */
  progress(total: number): Progress;
  note(text: string): void;
}

export interface Copied {
  readonly files: number;
  readonly directories: number;
  readonly bytes: number;
  readonly skipped: readonly string[];
  /** Where it is now. */
  readonly target: string;
}

const atOnce = 4;
/** Names in one command. */
const batch = 200;

/** Into `target` when that is a directory, else under that name: as `cp -r`. */
export async function copyUp(local: string, target: string, into: boolean, context: CopyContext): Promise<Copied> {
  const tree = await localTree(local);
  const { agent, signal } = context;
  const inside = into || (await remoteKind(agent, target, signal)) === "directory";
  const root = inside ? posix.join(target, basename(resolve(local))) : target;
  for (const skipped of tree.skipped) context.note(`skipped ${skipped}: neither a file nor a directory`);
  const progress = context.progress(sizeOf(tree));
  try {
    await transfer(local, root, tree, context, progress);
  } finally {
    progress.end();
  }
  return summary(tree, root);
}

async function transfer(
  local: string,
  root: string,
  tree: Tree,
  context: CopyContext,
  progress: Progress,
): Promise<void> {
  const { agent, signal } = context;
  const there = (relative: string) => posix.join(root, relative);
  const files = tree.entries.filter(({ directory }) => !directory);
  const directories = tree.entries.filter(({ directory }) => directory).map(({ relative }) => there(relative));
  for (const path of tree.root.directory ? [root, ...directories] : []) {
    await agent.call("POST", "/files/mkdir", fileResponseSchema, { body: { path, mode: "0755" }, signal });
  }
  await eachOf(files, atOnce, async ({ relative, size }) => {
    progress.file(relative || basename(local));
    const onBytes = (count: number): void => progress.add(count);
    await uploadFile(agent, { local: join(local, relative), remote: there(relative), size, signal, onBytes });
  });
  const programs = files.filter(({ mode }) => (mode & 0o100) !== 0).map(({ relative }) => there(relative));
  for (let from = 0; from < programs.length; from += batch) {
    await command(agent, 'chmod +x -- "$@"', programs.slice(from, from + batch), signal);
  }
}

export function summary(tree: Tree, target: string): Copied {
  const directories = tree.entries.filter(({ directory }) => directory).length;
  return {
    files: tree.entries.length - directories,
    directories: directories + (tree.root.directory ? 1 : 0),
    bytes: sizeOf(tree),
    skipped: tree.skipped,
    target,
  };
}
