import { BulkheadError } from "#contracts/errors.ts";
import type { Identity } from "./changes.ts";
import type { Directories, Opened } from "./directories.ts";
import type { Directory } from "./directory.ts";

/** Path of a name, whose bytes are kept as latin1, as callers see it. */
export function pathOf(directory: Pick<Directory, "path">, name: string): string {
  const text = Buffer.from(name, "latin1").toString("utf8");
  return directory.path === "/" ? `/${text}` : `${directory.path}/${text}`;
}

export interface GrowthOptions {
  readonly directories: Directories;
  /** Called for each name that is found; absent where they are no news. */
  readonly onFound?: (path: string) => void;
  /** A directory below is not watched; the rest is. */
  readonly onError: (error: unknown) => void;
}

/** Reads an opened directory and takes all below it in. @throws BulkheadError when it cannot be read itself */
export async function readTree(opened: Opened, options: GrowthOptions): Promise<void> {
  const { directories, onFound } = options;
  const { directory } = opened;
  await directories.read(opened);
  for (const [name, identity] of [...directory.names]) {
    if (!directories.isCurrent(directory)) return;
    onFound?.(pathOf(directory, name));
    if (identity.directory) await adopt(pathOf(directory, name), identity, options);
  }
}

/**
 * Takes a directory in that was found at a path, with what is in it by now. It is listened to first and read then, so that nothing falls
 * between.
 */
export async function adopt(path: string, identity: Identity, options: GrowthOptions): Promise<void> {
  const { directories, onError } = options;
  if (directories.at(path) !== undefined) return;
  let opened: Opened | undefined;
  try {
    opened = directories.open(path, identity);
    await readTree(opened, options);
  } catch (error) {
    if (opened !== undefined && directories.isCurrent(opened.directory)) directories.forget(path);
    // One that has gone again is told of by its parent.
    if (!(error instanceof BulkheadError) || error.code !== "DIRECTORY_NOT_FOUND") onError(error);
  }
}
