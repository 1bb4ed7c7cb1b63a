import { chmodSync, chownSync, closeSync, constants, mkdirSync, openSync, readlinkSync, realpathSync } from "node:fs";
import { posix } from "node:path";
import { errnoOf, fileError, invalidPath, notAllowed, systemError } from "./errors.ts";

/** Absent from node:fs. Such a descriptor names a file without opening it: no FIFO blocks, no device acts. Same value on x86-64 and arm64. */
export const O_PATH = 0o10000000;

/** Who files belong to; the agent itself may be another user. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** Something below the roots, held by descriptor: whoever swaps names afterwards changes nothing. The holder closes it. */
export interface Held {
  readonly fd: number;
  /** As asked for, absolute. */
  readonly path: string;
  /** Without symbolic links. */
  readonly real: string;
}

/** A held directory and the name in it that a path ends with. */
export interface Place {
  readonly directory: Held;
  readonly name: string;
  readonly path: string;
}

/** The only way from a path to a file. User code is hostile: it swaps directories for symbolic links while we look. */
export interface Confinement {
  readonly roots: readonly string[];
  /** Absolute and without `.` and `..`; relative paths start at the first root. */
  absolute(path: string): string;
  /**
   * Symbolic links are followed; where they end decides.
   * @throws BulkheadError PATH_NOT_ALLOWED, FILE_NOT_FOUND, INVALID_PATH
   */
  hold(path: string): Held;
  /** The place a path names; its last name may be missing or a symbolic link. With `make`, missing parents are made. */
  place(path: string, make?: { readonly owner: Owner | undefined }): Place;
  /** The directory itself, made with its parents when missing. */
  makeDirectory(path: string, owner: Owner | undefined, mode: number): Held;
}

/** A name in a held directory, as a path for a system call: openat() by way of /proc. */
export function at(directory: { readonly fd: number }, name: string): string {
  return `/proc/self/fd/${directory.fd}/${name}`;
}

/** What a descriptor names, as a path for a system call. */
export function itself(held: { readonly fd: number }): string {
  return `/proc/self/fd/${held.fd}`;
}

/** Closes after use, also when `use` fails. */
export function closing<T>(held: { readonly fd: number }, use: () => T): T {
  try {
    return use();
  } finally {
    closeSync(held.fd);
  }
}

/** {@link closing} for work that goes on after a first await. */
export async function closingLater<T>(held: { readonly fd: number }, use: () => Promise<T>): Promise<T> {
  try {
    return await use();
  } finally {
    closeSync(held.fd);
  }
}

function realRoot(root: string): string {
  try {
    return realpathSync(root);
  } catch {
    // A root that does not exist yet is taken by its name.
    return root;
  }
}

export function makeConfinement(roots: readonly string[]): Confinement {
  const realRoots = roots.map(realRoot);
  const home = realRoots[0] ?? "/";
  const within = (path: string) => realRoots.some((root) => path === root || path.startsWith(`${root}/`));
  const outside = (path: string) => notAllowed(path, `is outside ${roots.join(" and ")}`);

  function absolute(path: string): string {
    if (path.includes("\0")) throw invalidPath(JSON.stringify(path), "contains a NUL character");
    const full = posix.resolve(home, path);
    if (Buffer.byteLength(full) > 4095) throw fileError(systemError("ENAMETOOLONG"), "");
    return full;
  }

  /** Opens without side effects, then asks the kernel what was opened. */
  function open(via: string, path: string, flags: number): Held {
    const fd = openSync(via, O_PATH | flags);
    try {
      const real = readlinkSync(`/proc/self/fd/${fd}`);
      if (!within(real)) throw outside(path);
      return { fd, path, real };
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  }

  /** Whether a path outside the roots exists is not told. */
  function refusal(error: unknown, path: string): Error {
    return errnoOf(error) !== undefined && !within(path) ? outside(path) : fileError(error, path);
  }

  function makeIn(parent: Held, path: string, owner: Owner | undefined, mode: number): Held {
    const via = at(parent, posix.basename(path));
    let made = true;
    try {
      mkdirSync(via, { mode });
    } catch (error) {
      if (errnoOf(error) !== "EEXIST") throw error;
      made = false;
    }
    const held = open(via, path, constants.O_DIRECTORY | constants.O_NOFOLLOW);
    try {
      if (made) {
        chmodSync(itself(held), mode);
        if (owner !== undefined) chownSync(itself(held), owner.uid, owner.gid);
      }
      return held;
    } catch (error) {
      closeSync(held.fd);
      throw error;
    }
  }

  /** Goes up to the nearest directory that exists; at "/" at the latest the roots say no. */
  function openOrMake(path: string, owner: Owner | undefined, mode: number): Held {
    try {
      return open(path, path, constants.O_DIRECTORY);
    } catch (error) {
      if (errnoOf(error) !== "ENOENT") throw error;
    }
    const parent = openOrMake(posix.dirname(path), owner, 0o755);
    return closing(parent, () => makeIn(parent, path, owner, mode));
  }

  function isFile(path: string): boolean {
    try {
      closeSync(open(path, path, 0).fd);
      return true;
    } catch {
      // Then the first failure is the one to tell.
      return false;
    }
  }

  return {
    roots: realRoots,
    absolute,
    hold(asked) {
      const path = absolute(asked);
      try {
        return open(path, path, 0);
      } catch (error) {
        // Below a file nothing exists; that is no reason to call the path malformed.
        throw refusal(errnoOf(error) === "ENOTDIR" ? systemError("ENOENT") : error, path);
      }
    },
    place(asked, make) {
      const path = absolute(asked);
      if (realRoots.includes(path)) throw notAllowed(path, "is itself one of the allowed directories");
      const parent = posix.dirname(path);
      try {
        const directory =
          make === undefined ? open(parent, parent, constants.O_DIRECTORY) : openOrMake(parent, make.owner, 0o755);
        return { directory, name: posix.basename(path), path };
      } catch (error) {
        throw refusal(error, path);
      }
    },
    makeDirectory(asked, owner, mode) {
      const path = absolute(asked);
      try {
        return openOrMake(path, owner, mode);
      } catch (error) {
        throw refusal(errnoOf(error) === "ENOTDIR" && isFile(path) ? systemError("EEXIST") : error, path);
      }
    },
  };
}
