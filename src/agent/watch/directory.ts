import { closeSync, fstatSync, lstatSync, opendirSync, type Stats } from "node:fs";
import { setImmediate as nextTurn } from "node:timers/promises";
import { BulkheadError } from "#contracts/errors.ts";
import { at, type Confinement, type Held, itself } from "../files/confinement.ts";
import { fileError, invalidPath, noSuchDirectory } from "../files/errors.ts";
import { type Identity, same, type Watched } from "./changes.ts";

/** One directory of a watched tree. */
export interface Directory extends Watched {
  /** Without symbolic links. */
  readonly real: string;
  readonly identity: Identity;
  stop: () => void;
}

const namesPerTurn = 500;

function identityOf(stat: Stats): Identity {
  return { inode: stat.ino, bornMs: stat.birthtimeMs, directory: stat.isDirectory() };
}

/** What stands at a name of a held directory; undefined when nothing does. Links are not followed. */
export function identityAt(held: Held, name: string): Identity | undefined {
  const path = Buffer.concat([Buffer.from(at(held, "")), Buffer.from(name, "latin1")]);
  try {
    const stat = lstatSync(path, { throwIfNoEntry: false });
    return stat === undefined ? undefined : identityOf(stat);
  } catch {
    return undefined;
  }
}

/** @throws BulkheadError DIRECTORY_NOT_FOUND, INVALID_PATH, PATH_NOT_ALLOWED */
export function holdDirectory(confinement: Confinement, path: string): { held: Held; identity: Identity } {
  let held: Held;
  try {
    held = confinement.hold(path);
  } catch (error) {
    const missing = error instanceof BulkheadError && error.code === "FILE_NOT_FOUND";
    throw missing ? noSuchDirectory(confinement.absolute(path)) : error;
  }
  const identity = identityOf(fstatSync(held.fd));
  if (identity.directory) return { held, identity };
  closeSync(held.fd);
  throw invalidPath(held.path, "is not a directory");
}

/** The directory again, when it still stands where it stood. */
export function holdAgain(confinement: Confinement, directory: Directory): Held | undefined {
  try {
    const { held, identity } = holdDirectory(confinement, directory.path);
    if (same(identity, directory.identity) && held.real === directory.real) return held;
    closeSync(held.fd);
  } catch {
    // Gone, or no longer to be reached: the same to whoever watches it.
  }
  return undefined;
}

/** Whether the directory still stands where it stood. */
export function standsStill(confinement: Confinement, directory: Directory): boolean {
  const held = holdAgain(confinement, directory);
  if (held !== undefined) closeSync(held.fd);
  return held !== undefined;
}

/**
 * Fills in the names of a directory, a turn of the event loop for each few hundred.
 * @param onName called for each before it is taken; may throw to end it
 */
export async function readNames(held: Held, names: Map<string, Identity>, onName: () => void): Promise<void> {
  const stream = opendirSync(itself(held), { encoding: "latin1", bufferSize: 256 });
  try {
    let entry = stream.readSync();
    for (let count = 1; entry !== null; count += 1) {
      const identity = identityAt(held, entry.name);
      if (identity !== undefined) {
        onName();
        names.set(entry.name, identity);
      }
      if (count % namesPerTurn === 0) await nextTurn();
      entry = stream.readSync();
    }
  } catch (error) {
    throw fileError(error, held.path);
  } finally {
    stream.closeSync();
  }
}
