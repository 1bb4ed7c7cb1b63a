import { isAbsolute, resolve } from "node:path";
import type { CommandRequest } from "#contracts/agent/commands.ts";
import type { ExecuteRequest } from "#contracts/agent/exec.ts";
import { type Language, languageOf } from "#contracts/agent/languages.ts";
import { BulkheadError } from "#contracts/errors.ts";
import type { Lifecycle } from "../lifecycle.ts";
import type { Programs } from "./programs.ts";
import type { RunRequest } from "./run.ts";

export interface PrepareOptions {
  readonly programs: Programs;
  readonly lifecycle: Pick<Lifecycle, "env">;
  /** Environment of every child, below the sandbox's own and the request's. */
  readonly baseEnv: Readonly<Record<string, string>>;
}

type Place = Pick<RunRequest, "cwd" | "env" | "timeoutMs">;

function workdirOf(path: string): string {
  if (path.includes("\0")) throw new BulkheadError("INVALID_REQUEST", "workdir cannot contain a NUL character.");
  return isAbsolute(path) ? path : resolve("/workspace", path);
}

function placeOf(options: PrepareOptions, asked: Pick<ExecuteRequest, "workdir" | "env" | "timeout">): Place {
  return {
    cwd: workdirOf(asked.workdir),
    env: { ...options.baseEnv, ...options.lifecycle.env(), ...asked.env },
    timeoutMs: asked.timeout * 1000,
  };
}

/** What a request to run code means here. @throws BulkheadError UNSUPPORTED_LANGUAGE, INVALID_REQUEST */
export function prepareCode(options: PrepareOptions, asked: ExecuteRequest) {
  const language: Language | undefined = languageOf(asked.language);
  const file = language === undefined ? undefined : options.programs.find(language);
  if (language === undefined || file === undefined) {
    const installed = options.programs.installed();
    throw new BulkheadError(
      "UNSUPPORTED_LANGUAGE",
      `Language ${JSON.stringify(asked.language.slice(0, 40))} is not installed. Use one of: ${installed.join(", ")}.`,
      { details: { installed } },
    );
  }
  return { language, request: { ...placeOf(options, asked), code: asked.code, file } };
}

/** What a request to run a command means here; without arguments it is a line for a shell. @throws BulkheadError INVALID_REQUEST */
export function prepareCommand(options: PrepareOptions, asked: CommandRequest) {
  if ([asked.command, ...asked.args].some((text) => text.includes("\0"))) {
    throw new BulkheadError("INVALID_REQUEST", "A command cannot contain a NUL character.");
  }
  const shell = { file: options.programs.find("bash") ?? "/bin/sh", args: ["-c", asked.command] };
  const program = asked.args.length === 0 ? shell : { file: asked.command, args: asked.args };
  return { ...placeOf(options, asked), ...program };
}
