import { randomBytes } from "node:crypto";
import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  linkSync,
  lstatSync,
  openSync,
  read,
  readlinkSync,
  renameSync,
  unlinkSync,
  write,
} from "node:fs";
import { posix } from "node:path";
import { promisify } from "node:util";
import { at, type Confinement, type Held, type Owner, type Place } from "./confinement.ts";
import { errnoOf, fileError, invalidPath, systemError } from "./errors.ts";

const readAsync = promisify(read);
const writeAsync = promisify(write);

/** How a finished file appears. */
export interface Appearance {
  readonly mode: number;
  readonly owner: Owner | undefined;
  /** False: an existing file is FILE_ALREADY_EXISTS. */
  readonly overwrite: boolean;
}

/** A file under a temporary name: nobody sees half of it. Ends with exactly one of `publish` and `discard`. */
export interface PendingFile {
  readonly fd: number;
  /** Gives the file its name in one step. On failure nothing is left. */
  publish(target: Place, appearance: Appearance): Promise<void>;
  discard(): void;
}

const maxLinks = 20;

/**
 * Where writing to `path` ends: symbolic links as last name are followed, inside the roots. The caller closes `directory`.
 * @throws BulkheadError INVALID_PATH when a directory, device, socket or FIFO stands there
 */
export function writableTarget(confinement: Confinement, path: string, owner: Owner | undefined): Place {
  const asked = confinement.absolute(path);
  let next = asked;
  for (let links = 0; links < maxLinks; links += 1) {
    const place = confinement.place(next, { owner });
    try {
      const stat = lstatSync(at(place.directory, place.name), { throwIfNoEntry: false });
      if (stat?.isSymbolicLink() !== true) {
        if (stat !== undefined && !stat.isFile()) {
          throw invalidPath(asked, stat.isDirectory() ? "is a directory" : "is not a regular file");
        }
        return { ...place, path: asked };
      }
      next = posix.resolve(place.directory.real, readlinkSync(at(place.directory, place.name)));
    } catch (error) {
      closeSync(place.directory.fd);
      throw fileError(error, asked);
    }
    closeSync(place.directory.fd);
  }
  throw fileError(systemError("ELOOP"), asked);
}

async function copy(from: number, to: number): Promise<void> {
  const buffer = Buffer.allocUnsafe(1 << 20);
  for (let position = 0; ; ) {
    const { bytesRead } = await readAsync(from, buffer, 0, buffer.length, position);
    if (bytesRead === 0) return;
    for (let done = 0; done < bytesRead; ) {
      const { bytesWritten } = await writeAsync(to, buffer, done, bytesRead - done, position + done);
      done += bytesWritten;
    }
    position += bytesRead;
  }
}

/** `overwrite: false` links instead of renaming: the kernel refuses an existing name, whenever it appeared. */
function giveName(from: string, to: string, overwrite: boolean): void {
  if (overwrite) {
    renameSync(from, to);
    return;
  }
  linkSync(from, to);
  unlinkSync(from);
}

/** Makes a temporary file in a held directory, which must stay open until the end. */
export function makePendingFile(directory: Held): PendingFile {
  const name = `.bulkhead-${randomBytes(12).toString("hex")}`;
  const flags = constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW | constants.O_RDWR;
  const fd = openSync(at(directory, name), flags, 0o600);
  let open = true;

  function close(): void {
    if (open) closeSync(fd);
    open = false;
  }

  function discard(): void {
    close();
    try {
      unlinkSync(at(directory, name));
    } catch (error) {
      // User code may have removed it, or the directory with it.
      if (errnoOf(error) !== "ENOENT") throw error;
    }
  }

  async function publishAcross(target: Place, appearance: Appearance): Promise<void> {
    const second = makePendingFile(target.directory);
    try {
      await copy(fd, second.fd);
      await second.publish(target, appearance);
    } catch (error) {
      second.discard();
      throw fileError(error, target.path);
    } finally {
      discard();
    }
  }

  return {
    fd,
    discard,
    async publish(target, appearance) {
      try {
        fchmodSync(fd, appearance.mode);
        if (appearance.owner !== undefined) fchownSync(fd, appearance.owner.uid, appearance.owner.gid);
        giveName(at(directory, name), at(target.directory, target.name), appearance.overwrite);
        close();
      } catch (error) {
        if (errnoOf(error) === "EXDEV") {
          await publishAcross(target, appearance);
          return;
        }
        discard();
        throw fileError(error, target.path);
      }
    },
  };
}
