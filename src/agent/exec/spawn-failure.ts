import { statSync } from "node:fs";
import { BulkheadError } from "#contracts/errors.ts";

/** A program that cannot be started is the caller's matter and reads as in a shell. */
export interface NotStarted {
  readonly exitCode: 126 | 127;
  readonly stderr: string;
}

function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

const limits: Readonly<Record<string, string>> = {
  EAGAIN: "The process limit of the sandbox is reached. End some processes and run again.",
  ENOMEM: "The sandbox has no memory left to start a process. End some processes and run again.",
  EMFILE: "Too many runs are open at once. Wait for some to end and run again.",
  ENFILE: "Too many files are open on this host. Run again later.",
  E2BIG: "Arguments and environment are too long. Pass large data through a file.",
};

/** Why `spawn` failed, as a result or @throws BulkheadError when it is not about the program. */
export function explainSpawnFailure(error: unknown, file: string, cwd: string): NotStarted {
  const code = error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
  const limit = limits[code];
  if (limit !== undefined) throw new BulkheadError("EXECUTION_FAILED", limit, { cause: error });
  if (["ENOENT", "ENOTDIR", "EACCES", "ELOOP", "ENAMETOOLONG"].includes(code)) {
    if (!isDirectory(cwd)) {
      throw new BulkheadError("DIRECTORY_NOT_FOUND", `Working directory does not exist: ${cwd}. Create it first.`, {
        details: { path: cwd },
        cause: error,
      });
    }
    if (code === "ENOENT") return { exitCode: 127, stderr: `${file}: command not found\n` };
    return { exitCode: 126, stderr: `${file}: cannot be run from ${cwd} (${code})\n` };
  }
  if (code === "ENOEXEC") return { exitCode: 126, stderr: `${file}: not a program this machine can run\n` };
  throw new BulkheadError("EXECUTION_FAILED", `${file} could not be started (${code || "unknown cause"}).`, {
    cause: error,
  });
}
