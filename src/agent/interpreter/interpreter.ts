import type { Logger } from "#telemetry/logger.ts";
import type { AgentClock } from "../clock.ts";
import type { Marks } from "../exec/marks.ts";
import type { Programs } from "../exec/programs.ts";
import { pythonLoader } from "../exec/python-loader.ts";
import type { Runner, RunPython } from "../exec/run.ts";
import type { Lifecycle } from "../lifecycle.ts";
import type { ActiveTimers } from "../timers.ts";
import { makeForkPython } from "./fork-python.ts";
import { makeForkServer } from "./forkserver.ts";
import { forkserverStarter, kernelStarter } from "./kernel-starter.ts";
import { type Kernels, makeKernels } from "./kernels.ts";
import { makeRunPython } from "./run-python.ts";
import { openRunSockets } from "./run-sockets.ts";

export interface InterpreterParts {
  readonly run: Runner;
  readonly programs: Pick<Programs, "find">;
  readonly lifecycle: Pick<Lifecycle, "env">;
  readonly marks: Marks;
  readonly timers: ActiveTimers;
  readonly clock: AgentClock;
  readonly logger: Logger;
  /** Directory of helper programs in the agent's own view. */
  readonly tools: string;
  readonly cwd: string;
  /** Environment of every child, below the sandbox's own. */
  readonly environment: Readonly<Record<string, string>>;
  /** Whether plots, tables and last values come back beside a program's output. */
  readonly rich: boolean;
  readonly uid?: number;
  readonly gid?: number;
}

export interface Interpreter {
  /** A program in a process of its own, forked where that is the same and quicker. */
  readonly runPython: RunPython;
  /** Cells that share variables. */
  readonly kernels: Kernels;
}

/** Everything of a sandbox's Python. */
export function makeInterpreter(parts: InterpreterParts): Interpreter {
  const { run, tools, lifecycle, timers, clock, logger, environment, marks, rich } = parts;
  const starter = { ...parts };
  const plain: RunPython = rich
    ? makeRunPython({ run, tools })
    : (request) => run({ ...request, args: ["-c", pythonLoader] });
  const server = () => makeForkServer({ start: forkserverStarter(starter), clock, logger });
  const servers = { learning: server(), small: server() };
  const forked = makeForkPython({ plain, ...servers, openSockets: openRunSockets, environment, marks, timers });
  return {
    runPython: rich ? forked : async (request) => ({ ...(await forked(request)), rich: {} }),
    kernels: makeKernels({ timers, clock, sandboxEnv: () => lifecycle.env(), start: kernelStarter(starter) }),
  };
}
