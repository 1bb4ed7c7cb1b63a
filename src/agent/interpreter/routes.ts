import type { IpythonResponse, JupyterSessions } from "#contracts/agent/ipython.ts";
import { agentErrorBody } from "#contracts/error-body.ts";
import { BulkheadError } from "#contracts/errors.ts";
import { toRfc3339 } from "#contracts/time.ts";
import type { AgentClock } from "../clock.ts";
import { sendKeptAlive } from "../exec/keep-alive.ts";
import { fieldsOf } from "../fields.ts";
import type { Lifecycle } from "../lifecycle.ts";
import type { AgentRequest, Route } from "../router.ts";
import { parseCell } from "../streams/parse.ts";
import type { CellResult } from "./kernel.ts";
import type { Kernels } from "./kernels.ts";

export interface InterpreterOptions {
  readonly kernels: Kernels;
  readonly lifecycle: Pick<Lifecycle, "execution">;
  readonly clock: AgentClock;
}

export const defaultContext = "default";

function responseOf(context: string, result: CellResult, now: number): IpythonResponse {
  return {
    success: result.exitCode === 0,
    stdout: result.stdout,
    stderr: result.stderr,
    exit_code: result.exitCode,
    execution_time: Math.round(result.durationMs) / 1000,
    language: "python",
    timestamp: toRfc3339(now),
    context,
    execution_count: result.executionCount,
    ...(result.timedOut ? { timed_out: true } : {}),
    ...result.rich,
  };
}

async function runCell(options: InterpreterOptions, request: AgentRequest): Promise<void> {
  const { kernels, lifecycle, clock } = options;
  const fields = fieldsOf(await request.json(), "body");
  const { code, context = defaultContext, timeout, env } = parseCell(fields);
  const cell = { code, env, timeoutMs: timeout * 1000, signal: request.signal };
  const work = lifecycle.execution(async () => responseOf(context, await kernels.run(context, cell), clock.now()));
  await sendKeptAlive(
    request.res,
    clock,
    work,
    (error) => ({
      ...agentErrorBody(error, { requestId: request.id, timestamp: toRfc3339(clock.now()) }),
      ...{ success: false, stdout: "", stderr: `${error.message}\n`, exit_code: 1, execution_time: 0 },
    }),
    request.hide,
  );
}

function sessions({ kernels, clock }: InterpreterOptions): JupyterSessions {
  const list = kernels.list().map(({ context, kernel }) => ({
    kernel_id: context,
    execution_state: kernel.state,
    connections: kernel.waiting,
    last_activity: toRfc3339(kernel.lastActivityAt),
  }));
  return { sessions: list, count: list.length, timestamp: toRfc3339(clock.now()) };
}

const prefix = "/jupyter/sessions/";
const suffix = "/interrupt";

/** Cells, and what is known of the kernels that run them (contract §4.1, §4.5). */
export function interpreterRoutes(options: InterpreterOptions): Route[] {
  const { kernels } = options;
  const nameIn = (path: string, end: string) => decodeURIComponent(path.slice(prefix.length, path.length - end.length));
  return [
    { method: "POST", path: "/execute/ipython", handle: (request) => runCell(options, request) },
    { method: "GET", path: "/jupyter/sessions", handle: (request) => request.send(200, sessions(options)) },
    {
      method: "DELETE",
      path: `${prefix}*`,
      handle(request) {
        kernels.end(nameIn(request.path, ""));
        request.send(200, { success: true, message: "Kernel ended." });
      },
    },
    {
      method: "POST",
      path: `${prefix}*`,
      handle(request) {
        if (!request.path.endsWith(suffix)) {
          throw new BulkheadError("RESOURCE_NOT_FOUND", `No such route: ${request.path}`);
        }
        kernels.interrupt(nameIn(request.path, suffix));
        request.send(200, { success: true, message: "Kernel interrupted." });
      },
    },
  ];
}
