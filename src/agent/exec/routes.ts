import type { CommandResponse } from "#contracts/agent/commands.ts";
import type { ExecuteResponse } from "#contracts/agent/exec.ts";
import type { Language } from "#contracts/agent/languages.ts";
import { agentErrorBody } from "#contracts/error-body.ts";
import { toRfc3339 } from "#contracts/time.ts";
import type { AgentClock } from "../clock.ts";
import type { Lifecycle } from "../lifecycle.ts";
import { parseCommand, parseExecute } from "../parse.ts";
import type { AgentRequest, Route } from "../router.ts";
import { sendKeptAlive } from "./keep-alive.ts";
import type { RunCode } from "./languages.ts";
import { type PrepareOptions, prepareCode, prepareCommand } from "./prepare.ts";
import type { Runner, RunResult } from "./run.ts";

export interface ExecOptions extends PrepareOptions {
  readonly run: Runner;
  readonly languages: Readonly<Record<Language, RunCode>>;
  readonly lifecycle: Lifecycle;
  readonly clock: AgentClock;
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

/** Counts as an execution and answers as one; nothing is answered to a caller who hung up. */
async function answer(
  options: ExecOptions,
  request: AgentRequest,
  work: () => Promise<Outcome & object>,
): Promise<void> {
  const { lifecycle, clock } = options;
  await sendKeptAlive(
    request.res,
    clock,
    lifecycle.execution(work),
    (error) => ({
      ...agentErrorBody(error, { requestId: request.id, timestamp: toRfc3339(clock.now()) }),
      ...{ success: false, stdout: "", stderr: `${error.message}\n`, exit_code: 1, execution_time: 0 },
    }),
    request.hide,
  );
}

async function execute(options: ExecOptions, request: AgentRequest): Promise<void> {
  const { language, request: run } = prepareCode(options, parseExecute(await request.json()));
  await answer(options, request, async (): Promise<Outcome & ExecuteResponse> => {
    const result = await options.languages[language]({ ...run, signal: request.signal });
    return { ...outcomeOf(result, options.clock), language, ...result.rich };
  });
}

async function runCommand(options: ExecOptions, request: AgentRequest): Promise<void> {
  const asked = parseCommand(await request.json());
  const run = prepareCommand(options, asked);
  await answer(options, request, async (): Promise<Outcome & CommandResponse> => {
    const result = await options.run({ ...run, signal: request.signal });
    return { ...outcomeOf(result, options.clock), command: asked.command, pid: result.pid };
  });
}

export function execRoutes(options: ExecOptions): Route[] {
  return [
    { method: "POST", path: "/execute", handle: (request) => execute(options, request) },
    { method: "POST", path: "/commands/run", handle: (request) => runCommand(options, request) },
  ];
}
