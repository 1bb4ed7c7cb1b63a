import { lstat, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { CliError, exitCodes } from "../failure.ts";

/** Something to copy; `relative` is empty for the root itself, with slashes otherwise. */
export interface Entry {
  readonly relative: string;
  readonly directory: boolean;
  readonly size: number;
  /** Permission bits. */
  readonly mode: number;
}

export interface Tree {
  readonly root: { readonly directory: boolean };
  /** Directories before what is in them. */
  readonly entries: readonly Entry[];
  /** Symbolic links and what is neither file nor directory: not copied. */
  readonly skipped: readonly string[];
}

export const maxEntries = 1_000_000;

/** @throws CliError when it is not there, or when it has more than {@link maxEntries} entries */
export async function localTree(path: string): Promise<Tree> {
  const root = await stat(path).catch((cause: unknown) => {
    throw new CliError(`${path} cannot be read. Is it there?`, exitCodes.notFound, cause);
  });
  const entries: Entry[] = [];
  const skipped: string[] = [];
  if (root.isFile()) entries.push({ relative: "", directory: false, size: root.size, mode: root.mode & 0o777 });
  else if (!root.isDirectory()) throw new CliError(`${path} is neither a file nor a directory.`, exitCodes.usage);
  const waiting = root.isDirectory() ? [""] : [];
  for (let directory = waiting.pop(); directory !== undefined; directory = waiting.pop()) {
    for (const { name } of await readdir(join(path, directory), { withFileTypes: true })) {
      const relative = directory === "" ? name : `${directory}/${name}`;
      const found = await lstat(join(path, relative));
      if (entries.length >= maxEntries) throw new CliError(`${path} has more than ${maxEntries} entries.`);
      if (!found.isFile() && !found.isDirectory()) {
        skipped.push(relative);
        continue;
      }
      const size = found.isFile() ? found.size : 0;
      entries.push({ relative, directory: found.isDirectory(), size, mode: found.mode & 0o777 });
      if (found.isDirectory()) waiting.push(relative);
    }
  }
  return { root: { directory: root.isDirectory() }, entries, skipped };
}

export function sizeOf({ entries }: Tree): number {
  return entries.reduce((sum, { size }) => sum + size, 0);
}
