import { mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "#agent/clock.ts";
import { makeMarks } from "#agent/exec/marks.ts";
import type { RichResult, RunPython } from "#agent/exec/run.ts";
import { makeRunner } from "#agent/exec/runner.ts";
import { makeForkPython } from "#agent/interpreter/fork-python.ts";
import { makeForkServer } from "#agent/interpreter/forkserver.ts";
import { type KernelProcess, startKernelProcess } from "#agent/interpreter/kernel-process.ts";
import { makeRunPython } from "#agent/interpreter/run-python.ts";
import { openRunSockets, type RunSockets } from "#agent/interpreter/run-sockets.ts";
import { makeActiveTimers } from "#agent/timers.ts";
import { noopLogger } from "#telemetry/logger.ts";
import { until } from "../agent/agent-process.ts";

type Options = Partial<Parameters<RunPython>[0]>;

export interface ForkedPython {
  /** A fresh directory, where programs run. */
  readonly directory: string;
  /** Runs a program in a forked process. @throws when it was not forked */
  run(code: string, options?: Options): Promise<RichResult>;
  /** Runs it in an interpreter of its own. */
  runPlain(code: string, options?: Options): Promise<RichResult>;
  /** Runs it as the agent does, and says whether it was forked. */
  runEither(code: string, options?: Options): Promise<RichResult & { readonly forked: boolean }>;
  /** The forkservers that were started, the last one last. */
  readonly servers: readonly KernelProcess[];
  /** Resolves when a forkserver takes programs. */
  ready(): Promise<void>;
  stop(): void;
}

/** Python as the agent runs it, forked from a server. */
export function makeForkedPython(
  variables: Readonly<Record<string, string>> = {},
  openSockets = openRunSockets,
): ForkedPython {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), "bulkhead-forked-")));
  const file = "/usr/bin/python3";
  const tools = join(process.cwd(), "src/agent/tools");
  const environment = { PATH: "/usr/bin:/bin", PYTHONDONTWRITEBYTECODE: "1", HOME: directory, ...variables };
  const marks = makeMarks();
  const timers = makeActiveTimers(systemClock);
  const servers: KernelProcess[] = [];
  const plain = makeRunPython({ run: makeRunner({ marks, timers }), tools });
  const server = makeForkServer({
    start() {
      const script = `${tools}/python/forkserver.py`;
      const started = startKernelProcess({ file, script, cwd: directory, env: environment, marks });
      servers.push(started);
      return started;
    },
    clock: systemClock,
    logger: noopLogger,
  });
  const plainRuns = new Set<symbol>();

  const runEither: ForkedPython["runEither"] = async (code, options = {}) => {
    const id = Symbol("run");
    const fork = makeForkPython({
      plain(request) {
        plainRuns.add(id);
        return plain(request);
      },
      ...{ learning: server, small: server, openSockets: open, environment, marks, timers },
    });
    const result = await fork(requestOf(code, options));
    return { ...result, forked: !plainRuns.has(id) };
  };
  let sockets: RunSockets | undefined;
  const open = () => (sockets ??= openSockets());
  const requestOf = (code: string, options: Options) => ({
    ...{ file, code, cwd: directory, env: environment, timeoutMs: 20_000, signal: new AbortController().signal },
    ...options,
  });

  return {
    directory,
    servers,
    runEither,
    async run(code, options) {
      const result = await runEither(code, options);
      if (!result.forked) throw new Error(`not forked: ${result.exitCode} ${result.stderr}`);
      return result;
    },
    runPlain: (code, options = {}) => plain(requestOf(code, options)),
    ready: () => until(() => server.ready()),
    stop() {
      for (const each of servers) each.kill();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Living processes, and zombies, with this parent. */
export function childrenOf(parent: number): readonly number[] {
  return readdirSync("/proc").flatMap((pid) => {
    try {
      const [, ppid] = readFileSync(`/proc/${pid}/stat`, "utf8")
        .replace(/^.*\) /, "")
        .split(" ");
      return Number(ppid) === parent ? [Number(pid)] : [];
    } catch {
      return [];
    }
  });
}

/** Whether a process with this number lives; a zombie does not. */
export function lives(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}
