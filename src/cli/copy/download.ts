import { randomBytes } from "node:crypto";
import { createWriteStream } from "node:fs";
import { lstat, mkdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join, posix } from "node:path";
import { pipeline } from "node:stream/promises";
import { CliError, messageOf } from "../failure.ts";
import { eachOf } from "./each.ts";
import { type Entry, sizeOf } from "./local-tree.ts";
import type { Progress } from "./progress.ts";
import { remoteTree } from "./remote-tree.ts";
import { type Copied, type CopyContext, summary } from "./upload.ts";

const atOnce = 4;

/** Into `target` when that is a directory, else under that name: as `cp -r`. */
export async function copyDown(remote: string, target: string, context: CopyContext): Promise<Copied> {
  const tree = await remoteTree(context.agent, remote, context.signal);
  const inside = target.endsWith("/") || (await isDirectory(target));
  const root = inside ? join(target, posix.basename(remote) || context.agent.sandboxId) : target;
  for (const skipped of tree.skipped) context.note(`skipped ${skipped}: neither a file nor a directory`);
  if (target.endsWith("/")) await mkdir(target, { recursive: true });
  if (tree.root.directory) await makeDirectory(root, 0o755);
  for (const { relative, mode } of tree.entries.filter(({ directory }) => directory)) {
    await makeDirectory(join(root, relative), mode);
  }
  const progress = context.progress(sizeOf(tree));
  try {
    const files = tree.entries.filter(({ directory }) => !directory);
    await eachOf(files, atOnce, (entry) => downloadFile(remote, root, entry, context, progress));
  } finally {
    progress.end();
  }
  return summary(tree, root);
}

async function isDirectory(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() === true;
}

/** Goes through no link: the tree is put into the target and nowhere else. */
async function makeDirectory(path: string, mode: number): Promise<void> {
  try {
    await mkdir(path, { mode: mode | 0o700 });
  } catch (cause) {
    const found = await lstat(path).catch(() => undefined);
    if (found?.isDirectory() === true) return;
    throw new CliError(`${path} cannot be made a directory: ${messageOf(cause)}`, 1, cause);
  }
}

/** The file gets its name when its last byte is written. */
async function downloadFile(remote: string, root: string, entry: Entry, context: CopyContext, progress: Progress) {
  const { agent, signal } = context;
  const target = join(root, entry.relative);
  const pending = join(dirname(target), `.bulkhead-cp-${randomBytes(8).toString("hex")}`);
  progress.file(entry.relative || posix.basename(remote));
  const { body, size } = await agent.download(posix.join(remote, entry.relative), signal);
  let received = 0;
  async function* counted(source: AsyncIterable<Buffer>) {
    for await (const chunk of source) {
      received += chunk.length;
      progress.add(chunk.length);
      yield chunk;
    }
  }
  try {
    await pipeline(body, counted, createWriteStream(pending, { flags: "wx", mode: entry.mode | 0o600 }), { signal });
    if (size !== undefined && received !== size)
      throw new CliError(`${remote} ended after ${received} of ${size} bytes.`);
    await rename(pending, target);
  } catch (error) {
    await rm(pending, { force: true });
    signal.throwIfAborted();
    throw error instanceof CliError ? error : new CliError(`${target} was not written: ${messageOf(error)}`, 1, error);
  }
}
