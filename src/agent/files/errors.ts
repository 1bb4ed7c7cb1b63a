import { BulkheadError, type ErrorCode } from "#contracts/errors.ts";

/** The errno name of a failed system call, e.g. "ENOENT". */
export function errnoOf(thrown: unknown): string | undefined {
  return thrown instanceof Error && "code" in thrown && typeof thrown.code === "string" ? thrown.code : undefined;
}

/** As the system would report it. */
export function systemError(errno: string): Error {
  return Object.assign(new Error(errno), { code: errno });
}

export function notAllowed(path: string, why: string): BulkheadError {
  return new BulkheadError("PATH_NOT_ALLOWED", `Path not allowed: ${path} ${why}`, { details: { path } });
}

export function invalidPath(path: string, why: string): BulkheadError {
  return new BulkheadError("INVALID_PATH", `Invalid path: ${path} ${why}`, { details: { path } });
}

/**
 * Clients take "not found" for a missing file, but together with the word "sandbox", which a path may contain, for a sandbox
 * that has ended (contract rule 30).
 */
export function noSuchDirectory(path: string): BulkheadError {
  const text = /sandbox/i.test(path) ? "No such directory" : "Directory not found";
  return new BulkheadError("DIRECTORY_NOT_FOUND", `${text}: ${path}`, { details: { path } });
}

export function tooLarge(path: string, message: string): BulkheadError {
  return new BulkheadError("PAYLOAD_TOO_LARGE", message, { details: { path } });
}

const meanings: Readonly<Record<string, readonly [ErrorCode, (path: string) => string]>> = {
  ENOENT: ["FILE_NOT_FOUND", (path) => `No such file or directory: ${path}`],
  EEXIST: ["FILE_ALREADY_EXISTS", (path) => `File already exists: ${path}`],
  ENOTDIR: ["INVALID_PATH", (path) => `Invalid path: a parent of ${path} is not a directory`],
  EISDIR: ["INVALID_PATH", (path) => `Invalid path: ${path} is a directory`],
  ELOOP: ["INVALID_PATH", (path) => `Invalid path: ${path} leads through too many symbolic links`],
  ENAMETOOLONG: [
    "INVALID_PATH",
    () => "Invalid path: it or one of its names is too long (255 bytes a name, 4095 in all)",
  ],
  EACCES: ["PERMISSION_DENIED", (path) => `Permission denied: ${path}`],
  EPERM: ["PERMISSION_DENIED", (path) => `Permission denied: ${path}`],
  EROFS: ["PERMISSION_DENIED", (path) => `Permission denied: ${path} is on a read-only file system`],
  ENOSPC: ["FILE_OPERATION_FAILED", (path) => `disk full: no space left for ${path}. Remove files and try again.`],
  EDQUOT: ["FILE_OPERATION_FAILED", (path) => `disk full: no space left for ${path}. Remove files and try again.`],
  EBUSY: ["FILE_OPERATION_FAILED", (path) => `${path} is in use as a mount point`],
  EMFILE: ["FILE_OPERATION_FAILED", (path) => `Too many open files to handle ${path}. Try again.`],
};

/** A failed system call in the caller's words. `path` is the path as asked for: descriptors' paths are never shown. */
export function fileError(thrown: unknown, path: string): BulkheadError {
  if (thrown instanceof BulkheadError) return thrown;
  const errno = errnoOf(thrown);
  if (errno === undefined) {
    return new BulkheadError("INTERNAL_ERROR", "Internal error while handling a file.", {
      details: { path },
      cause: thrown,
    });
  }
  const [code, say] = meanings[errno] ?? ["FILE_OPERATION_FAILED", () => `The file system refused ${path}: ${errno}`];
  return new BulkheadError(code, say(path), { details: { path, errno }, cause: thrown });
}
