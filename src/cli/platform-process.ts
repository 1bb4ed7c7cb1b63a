import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { constants } from "node:os";
import { delimiter, join } from "node:path";
import { CliError } from "./failure.ts";

/** What a platform process is started with. */
export interface PlatformRequest {
  /** dist/local.mjs */
  readonly program: string;
  readonly command: "start" | "doctor";
  readonly arguments: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** True for host uid 0: the platform then gets a mount namespace of its own. */
  readonly root: boolean;
}

const forwarded = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"] as const;

/**
 * Runs the platform as a child in the foreground and answers with its exit code (128 + n when signal n ended it).
 *
 * As root it runs inside `unshare --mount`: disks of sandboxes are mounts of that namespace, so the kernel removes every one of them
 * with the last process, however it ends. The child is its own process group, or a terminal's Ctrl-C would reach it twice, once
 * from the terminal and once forwarded; `setpriv --pdeathsig` ends it when this process is killed and can forward nothing.
 */
export function runPlatform(request: PlatformRequest): Promise<number> {
  const [file, ...args] = commandLine(request);
  if (file === undefined) throw new CliError("Nothing to run.");
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { stdio: "inherit", detached: true, env: request.environment });
    const handlers = forwarded.map((signal) => ({ signal, handler: () => void child.kill(signal) }));
    for (const { signal, handler } of handlers) process.on(signal, handler);
    const done = (): void => {
      for (const { signal, handler } of handlers) process.off(signal, handler);
    };
    child.once("error", (cause) => {
      done();
      reject(new CliError(`Could not run ${file}: ${cause.message}. Install util-linux.`, 1, cause));
    });
    child.once("exit", (code, signal) => {
      done();
      resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
    });
  });
}

function commandLine(request: PlatformRequest): readonly string[] {
  if (!existsSync(request.program)) {
    throw new CliError(`${request.program} is missing. Build it with "npm run build", then try again.`);
  }
  const node = [process.execPath, request.program, request.command, ...request.arguments];
  const path = request.environment["PATH"] ?? "";
  const isolated = request.root ? ["unshare", "--mount", "--propagation", "private", "--", ...node] : node;
  return onPath("setpriv", path) ? ["setpriv", "--pdeathsig", "TERM", "--", ...isolated] : isolated;
}

function onPath(program: string, path: string): boolean {
  return path.split(delimiter).some((directory) => existsSync(join(directory, program)));
}
