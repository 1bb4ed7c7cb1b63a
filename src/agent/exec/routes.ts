import { isAbsolute, resolve } from "node:path";
import type { CommandResponse } from "#contracts/agent/commands.ts";
import type { ExecuteResponse } from "#contracts/agent/exec.ts";
import { languageOf } from "#contracts/agent/languages.ts";
import { agentErrorBody } from "#contracts/error-body.ts";
import { BulkheadError } from "#contracts/errors.ts";
import { toRfc3339 } from "#contracts/time.ts";
import type { AgentClock } from "../clock.ts";
import type { Lifecycle } from "../lifecycle.ts";
import { parseCommand, parseExecute } from "../parse.ts";
import type { AgentRequest, Route } from "../router.ts";
import { sendKeptAlive } from "./keep-alive.ts";
import type { RunCode } from "./languages.ts";
import type { Programs } from "./programs.ts";
import type { Runner, RunResult } from "./run.ts";

export interface ExecOptions {
  readonly run: Runner;
  readonly languages: Readonly<Record<ReturnType<Programs["installed"]>[number], RunCode>>;
  readonly programs: Programs;
  readonly lifecycle: Lifecycle;
  readonly clock: AgentClock;
  /** Environment of every child, below the sandbox's own and the request's. */
  readonly baseEnv: Readonly<Record<string, string>>;
}

/** `timed_out` is an extra key beside the contract's. */
interface Outcome
  extends Pick<ExecuteResponse, "success" | "stdout" | "stderr" | "exit_code" | "execution_time" | "timestamp"> {
  readonly timed_out?: true;
}

function outcomeOf(result: RunResult, clock: AgentClock): Outcome {
  return {
    success: result.exitCode === 0,
    stdout: result.stdout,
    stderr: result.stderr,
    exit_code: result.exitCode,
    execution_time: Math.round(result.durationMs) / 1000,
    timestamp: toRfc3339(clock.now()),
    ...(result.timedOut ? { timed_out: true } : {}),
  };
}

function workdirOf(path: string): string {
  if (path.includes("\0")) throw new BulkheadError("INVALID_REQUEST", "workdir cannot contain a NUL character.");
  return isAbsolute(path) ? path : resolve("/workspace", path);
}

/** Counts as an execution and answers as one; nothing is answered to a caller who hung up. */
async function answer(
  options: ExecOptions,
  request: AgentRequest,
  work: () => Promise<Outcome & object>,
): Promise<void> {
  const { lifecycle, clock } = options;
  await sendKeptAlive(request.res, clock, lifecycle.execution(work), (error) => ({
    ...agentErrorBody(error, { requestId: request.id, timestamp: toRfc3339(clock.now()) }),
    ...{ success: false, stdout: "", stderr: `${error.message}\n`, exit_code: 1, execution_time: 0 },
  }));
}

async function execute(options: ExecOptions, request: AgentRequest): Promise<void> {
  const asked = parseExecute(await request.json());
  const language = languageOf(asked.language);
  const file = language === undefined ? undefined : options.programs.find(language);
  if (language === undefined || file === undefined) {
    const installed = options.programs.installed();
    throw new BulkheadError(
      "UNSUPPORTED_LANGUAGE",
      `Language ${JSON.stringify(asked.language.slice(0, 40))} is not installed. Use one of: ${installed.join(", ")}.`,
      { details: { installed } },
    );
  }
  await answer(options, request, async (): Promise<Outcome & ExecuteResponse> => {
    const result = await options.languages[language]({
      code: asked.code,
      file,
      cwd: workdirOf(asked.workdir),
      env: { ...options.baseEnv, ...options.lifecycle.env(), ...asked.env },
      timeoutMs: asked.timeout * 1000,
      signal: request.signal,
    });
    return { ...outcomeOf(result, options.clock), language, ...result.rich };
  });
}

async function runCommand(options: ExecOptions, request: AgentRequest): Promise<void> {
  const asked = parseCommand(await request.json());
  if ([asked.command, ...asked.args].some((text) => text.includes("\0"))) {
    throw new BulkheadError("INVALID_REQUEST", "A command cannot contain a NUL character.");
  }
  const [file, args] =
    asked.args.length === 0
      ? [options.programs.find("bash") ?? "/bin/sh", ["-c", asked.command]]
      : [asked.command, asked.args];
  await answer(options, request, async (): Promise<Outcome & CommandResponse> => {
    const result = await options.run({
      file,
      args,
      cwd: workdirOf(asked.workdir),
      env: { ...options.baseEnv, ...options.lifecycle.env(), ...asked.env },
      timeoutMs: asked.timeout * 1000,
      signal: request.signal,
    });
    return { ...outcomeOf(result, options.clock), command: asked.command, pid: result.pid };
  });
}

export function execRoutes(options: ExecOptions): Route[] {
  return [
    { method: "POST", path: "/execute", handle: (request) => execute(options, request) },
    { method: "POST", path: "/commands/run", handle: (request) => runCommand(options, request) },
  ];
}
