import { execFile } from "node:child_process";

export interface CommandResult {
  /** null when a signal or the deadline ended it, or it could not be started. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly timeoutMs?: number;
  readonly environment?: Readonly<Record<string, string>>;
}

export type RunCommand = (program: string, args: readonly string[], options?: CommandOptions) => Promise<CommandResult>;

const toolPath = "/usr/sbin:/usr/bin:/sbin:/bin";

/** Runs one of the host's tools to its end, with a clean environment. Never throws: the caller reads the code. */
export const runCommand: RunCommand = (program, args, options = {}) =>
  new Promise((resolve) => {
    execFile(
      program,
      [...args],
      {
        cwd: "/",
        env: { PATH: toolPath, LC_ALL: "C", ...options.environment },
        timeout: options.timeoutMs ?? 10_000,
        killSignal: "SIGKILL",
        maxBuffer: 1 << 20,
      },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === "number" ? error.code : null;
        resolve({ code, stdout, stderr: stderr === "" && error !== null ? error.message : stderr });
      },
    );
  });
