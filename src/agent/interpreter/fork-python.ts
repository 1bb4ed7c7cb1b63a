import { killRun } from "../exec/kill-run.ts";
import { makeCappedOutput } from "../exec/output.ts";
import type { RichResult, RunPython } from "../exec/run.ts";
import { noteOf } from "../exec/run-note.ts";
import { type SuperviseOptions, supervise } from "../exec/supervise.ts";
import type { Forked, ForkServer } from "./forkserver.ts";
import { reportedBy, reportLimit } from "./run-python.ts";
import type { RunSockets, RunStreams } from "./run-sockets.ts";
import { capture, drain, read } from "./run-streams.ts";

export interface ForkPythonOptions extends SuperviseOptions {
  /** Runs what cannot be forked. */
  readonly plain: RunPython;
  /** Forks those that name one of the large libraries, and learns from them. */
  readonly learning: ForkServer;
  /** Forks the others, and stays small: forking a process takes as long as its memory is large. */
  readonly small: ForkServer;
  /** Opened with the first run that is forked. @throws when that cannot be */
  readonly openSockets: () => RunSockets;
  /** Environment that the forkserver was started with. */
  readonly environment: Readonly<Record<string, string>>;
}

/** Variables that an interpreter or a library reads once, at its start. */
const readAtStart = /^(PYTHON|LD_|LC_|LANG$|MPL|OMP_|OPENBLAS_|MKL_|NUMEXPR_|GOMP_|GOTO_|VECLIB_|MALLOC_|BLIS_)/;
/** The forked process acts on it by itself. */
const readLater = "PYTHONUNBUFFERED";

type Env = Readonly<Record<string, string>>;

/** Whether a process that started with `base` is what one that started with `env` would be. */
export function startsAlike(env: Env, base: Env): boolean {
  const names = new Set([...Object.keys(env), ...Object.keys(base)]);
  return [...names].every((name) => name === readLater || !readAtStart.test(name) || env[name] === base[name]);
}

const large = /\b(numpy|pandas|matplotlib|scipy|sklearn|seaborn|plotly|requests|PIL)\b/;

/** How long a forked process may take to take its program: it waits for one already. Then another one is started for it. */
const takeMs = 250;

interface Taken {
  readonly pid: number;
  readonly streams: RunStreams;
  readonly ended: Forked["ended"];
}

export function makeForkPython(options: ForkPythonOptions): RunPython {
  const { plain, learning, small, environment, marks } = options;
  let sockets: RunSockets | undefined;

  /** null: the program has not begun, and never will here. */
  async function take(request: Parameters<RunPython>[0], server: ForkServer, mark: number): Promise<Taken | null> {
    try {
      sockets ??= options.openSockets();
    } catch {
      // The disk is full, say. An interpreter of its own needs no socket.
      return null;
    }
    const run = sockets.expect();
    const { code, cwd, env } = request;
    const { pid: told, ended } = server.fork({
      token: run.token,
      socket: sockets.path,
      code,
      cwd,
      env,
      mark,
      learn: server === learning,
    });
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<null>((resolve) => (timer = setTimeout(resolve, takeMs, null)));
    const both = Promise.all([
      told,
      Promise.race([run.streams, told.then((pid) => (pid === null ? null : run.streams))]),
    ]);
    const taken = await Promise.race([both, late]);
    clearTimeout(timer);
    if (taken === null) {
      run.revoke();
      return null;
    }
    const [pid, streams] = taken;
    if (pid === null || streams === null) {
      run.revoke();
      return null;
    }
    return { pid, streams, ended };
  }

  async function follow(request: Parameters<RunPython>[0], { pid, streams, ended }: Taken, mark: number) {
    const began = performance.now();
    const output = { stdout: makeCappedOutput(request.outputLimit), stderr: makeCappedOutput(request.outputLimit) };
    const reads = (["stdout", "stderr"] as const).map((name) =>
      read(streams[name], (chunk) => {
        output[name].push(chunk);
        return request.onOutput?.(name, chunk);
      }),
    );
    const report = capture(streams.report, reportLimit);
    const supervisor = supervise(request, options, pid, mark);
    request.onStart?.(pid);
    streams.stdout.write("+");
    const end = await ended;
    const stopped = supervisor.finish();
    // Nobody would tell when it ends, and nothing would end it in time.
    if (end === null) killRun(pid, mark, marks);
    await Promise.all([...reads, report].map((one) => one.rest()));
    for (const socket of [streams.stdout, streams.stderr, streams.report]) drain(socket);
    const signal = end?.signal ?? 0;
    const note =
      end === null ? "The interpreter of this run is gone.\n" : noteOf(stopped, request.timeoutMs, signal === 9);
    if (note !== "") {
      const before = output.stderr.text();
      const line = Buffer.from(before === "" || before.endsWith("\n") ? note : `\n${note}`);
      output.stderr.push(line);
      void request.onOutput?.("stderr", line);
    }
    return {
      stdout: output.stdout.text(),
      stderr: output.stderr.text(),
      exitCode: stopped === "timeout" ? 124 : (end?.code ?? 1),
      timedOut: stopped === "timeout",
      durationMs: performance.now() - began,
      pid,
      report: report.bytes(),
    };
  }

  return async (request): Promise<RichResult> => {
    const server = large.test(request.code) ? learning : small;
    if (request.signal.aborted || !server.ready() || !startsAlike(request.env, environment)) return plain(request);
    const mark = marks.take();
    try {
      const taken = await take(request, server, mark);
      if (taken === null) return await plain(request);
      return reportedBy(await follow(request, taken, mark), request.onOutput);
    } finally {
      marks.release(mark);
    }
  };
}
