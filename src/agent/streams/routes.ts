import type { Language } from "#contracts/agent/languages.ts";
import type { RunCode } from "../exec/languages.ts";
import { type PrepareOptions, prepareCode, prepareCommand } from "../exec/prepare.ts";
import type { RichResult, Runner, RunRequest } from "../exec/run.ts";
import type { Lifecycle } from "../lifecycle.ts";
import type { SocketRoute } from "../socket.ts";
import { parseStreamCell, parseStreamCommand, parseStreamExecute } from "./parse.ts";
import { type ReadRun, type RunRouteOptions, runRoute } from "./run-route.ts";

/** Runs code in a kernel that keeps its variables. */
export type RunCell = (
  request: Required<Pick<RunRequest, "onOutput" | "signal">> &
    Pick<RunRequest, "timeoutMs"> & {
      readonly code: string;
      /** Absent: the default kernel. */
      readonly context?: string;
      /** Variables of this request alone. */
      readonly env: Readonly<Record<string, string>>;
    },
) => Promise<RichResult>;

export interface StreamOptions extends RunRouteOptions, PrepareOptions {
  readonly lifecycle: Pick<Lifecycle, "execution" | "env">;
  readonly run: Runner;
  readonly languages: Readonly<Record<Language, RunCode>>;
  /** Absent: `/stream/ipython` is not served. */
  readonly runCell?: RunCell;
}

function cellRoutes(options: StreamOptions): SocketRoute[] {
  const { runCell } = options;
  if (runCell === undefined) return [];
  const readCell: ReadRun = (fields) => {
    const { code, context, timeout, env } = parseStreamCell(fields);
    const cell = { code, env, timeoutMs: timeout * 1000, ...(context === undefined ? {} : { context }) };
    return (to) => runCell({ ...cell, ...to });
  };
  return [runRoute("/stream/ipython", options, readCell)];
}

/** Without it Python holds its output back until its end, because nobody seems to watch. */
const watched = { PYTHONUNBUFFERED: "1" };

/** Runs whose output is read while they last (contract §5). */
export function streamRoutes(given: StreamOptions): SocketRoute[] {
  const options = { ...given, baseEnv: { ...watched, ...given.baseEnv } };
  const readCode: ReadRun = (fields) => {
    const { language, request } = prepareCode(options, parseStreamExecute(fields));
    return (to) => options.languages[language]({ ...request, ...to });
  };
  const readCommand: ReadRun = (fields) => {
    const request = prepareCommand(options, parseStreamCommand(fields));
    return (to) => options.run({ ...request, ...to });
  };
  return [
    runRoute("/execute/stream", options, readCode),
    runRoute("/stream", options, readCode),
    runRoute("/commands/stream", options, readCommand),
    ...cellRoutes(options),
  ];
}
