import { constants, fstatSync, lstatSync, opendirSync, type Stats } from "node:fs";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { FileExistsResponse, FileInfo, FileListResponse } from "#contracts/agent/files.ts";
import { BulkheadError } from "#contracts/errors.ts";
import { toRfc3339 } from "#contracts/time.ts";
import { at, type Confinement, closing, closingLater, type Held, itself } from "./confinement.ts";
import { errnoOf, fileError, invalidPath, noSuchDirectory, tooLarge } from "./errors.ts";

/** Entries that one answer may carry. */
const maxListEntries = 100_000;

/** Last instant with a four-digit year: file systems store later ones, clients cannot read them. */
const latest = Date.UTC(9999, 11, 31);

const kinds: readonly (readonly [number, string])[] = [
  [constants.S_IFDIR, "d"],
  [constants.S_IFLNK, "l"],
  [constants.S_IFIFO, "p"],
  [constants.S_IFSOCK, "s"],
  [constants.S_IFBLK, "b"],
  [constants.S_IFCHR, "c"],
];

/** As `ls -l` writes them. */
function permissionsText(mode: number): string {
  const kind = kinds.find(([bits]) => (mode & constants.S_IFMT) === bits)?.[1] ?? "-";
  const triple = (shift: number) =>
    ["r", "w", "x"].map((letter, index) => (mode & ((4 >> index) << shift) ? letter : "-")).join("");
  return kind + triple(6) + triple(3) + triple(0);
}

function info(path: string, name: string, stat: Stats, isDirectory: boolean): FileInfo {
  const modified = toRfc3339(Math.trunc(Math.min(Math.max(stat.mtimeMs, 0), latest)));
  return {
    name,
    path: path === "/" ? `/${name}` : `${path}/${name}`,
    size: stat.size,
    is_directory: isDirectory,
    is_dir: isDirectory,
    modified_time: modified,
    modified,
    permissions: permissionsText(stat.mode),
    mode: `0${(stat.mode & 0o777).toString(8).padStart(3, "0")}`,
  };
}

/** A link is listed as what it leads to; one that is broken or leads out of the roots as itself. */
function entry(confinement: Confinement, directory: Held, bytes: Buffer): FileInfo | undefined {
  const name = bytes.toString();
  const stat = lstatSync(Buffer.concat([Buffer.from(at(directory, "")), bytes]), { throwIfNoEntry: false });
  if (stat?.isSymbolicLink() !== true) return stat && info(directory.path, name, stat, stat.isDirectory());
  try {
    const held = confinement.hold(`${directory.real}/${name}`);
    const target = closing(held, () => fstatSync(held.fd));
    return info(directory.path, name, target, target.isDirectory());
  } catch (error) {
    if (!(error instanceof BulkheadError)) throw error;
    return info(directory.path, name, stat, false);
  }
}

function holdDirectory(confinement: Confinement, path: string): Held {
  try {
    return confinement.hold(path);
  } catch (error) {
    throw error instanceof BulkheadError && error.code === "FILE_NOT_FOUND"
      ? noSuchDirectory(confinement.absolute(path))
      : error;
  }
}

async function entries(confinement: Confinement, held: Held): Promise<FileInfo[]> {
  if (!fstatSync(held.fd).isDirectory()) throw invalidPath(held.path, "is not a directory");
  const found: FileInfo[] = [];
  // latin1 keeps each byte: names need not be UTF-8.
  const directory = opendirSync(itself(held), { encoding: "latin1", bufferSize: 256 });
  for await (const { name } of directory) {
    const one = entry(confinement, held, Buffer.from(name, "latin1"));
    if (one !== undefined) found.push(one);
    if (found.length > maxListEntries) {
      throw tooLarge(
        held.path,
        `${held.path} has more than ${maxListEntries} entries. List it with a command, such as ls -f.`,
      );
    }
    if (found.length % 1000 === 0) await nextTurn();
  }
  return found.sort((a, b) => (a.name < b.name ? -1 : 1));
}

export async function listDirectory(confinement: Confinement, path: string): Promise<FileListResponse> {
  const held = holdDirectory(confinement, path);
  return closingLater(held, async () => {
    try {
      const files = await entries(confinement, held);
      return { files, path: held.path, count: files.length };
    } catch (error) {
      throw errnoOf(error) === "ENOENT" ? noSuchDirectory(held.path) : fileError(error, held.path);
    }
  });
}

export function fileExists(confinement: Confinement, path: string): FileExistsResponse {
  try {
    const held = confinement.hold(path);
    return closing(held, () => ({ exists: true, path: held.path, is_directory: fstatSync(held.fd).isDirectory() }));
  } catch (error) {
    if (!(error instanceof BulkheadError) || error.code !== "FILE_NOT_FOUND") throw error;
    return { exists: false, path: confinement.absolute(path) };
  }
}
