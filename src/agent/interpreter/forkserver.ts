import type { Logger } from "#telemetry/logger.ts";
import type { AgentClock } from "../clock.ts";
import type { KernelProcess } from "./kernel-process.ts";

/** What a forked process is told of its run. */
export interface ForkRequest {
  readonly token: string;
  readonly socket: string;
  readonly code: string;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly mark: number;
  /** Whether the server is to import what the program does, for the next ones. */
  readonly learn: boolean;
}

export interface Forked {
  /** null: it will not be run here. */
  readonly pid: Promise<number | null>;
  /** Exit code, or null when nobody could tell how it ended; `signal` where one ended it. */
  readonly ended: Promise<{ readonly code: number; readonly signal: number } | null>;
}

/** A Python that forks a process for each program (tools/python/forkserver.py). */
export interface ForkServer {
  /** Whether it takes a program now. The first question starts it, for later ones. */
  ready(): boolean;
  fork(request: ForkRequest): Forked;
}

export interface ForkServerOptions {
  /** @throws what `spawn` throws */
  readonly start: () => KernelProcess;
  readonly clock: AgentClock;
  readonly logger: Logger;
}

/** One that ended by itself is not started again at once: it may end again. */
const restMs = 5_000;

interface Run {
  readonly setPid: (pid: number | null) => void;
  readonly setEnd: (end: { readonly code: number; readonly signal: number } | null) => void;
}

interface Started {
  readonly process: KernelProcess;
  readonly runs: Map<string, Run>;
  ready: boolean;
  /** It takes no more programs: modules have changed since it started. It ends when those that it runs have. */
  retired: boolean;
}

function endAll({ runs }: Started): void {
  for (const run of runs.values()) {
    run.setPid(null);
    run.setEnd(null);
  }
  runs.clear();
}

function hear(server: Started, answer: Readonly<Record<string, unknown>>): void {
  if (answer["ready"] === true) server.ready = true;
  if (answer["busy"] === true) server.ready = false;
  if (answer["retired"] === true) server.retired = true;
  const { token, pid, code, signal, refused } = answer;
  const run = typeof token === "string" ? server.runs.get(token) : undefined;
  if (run === undefined || typeof token !== "string") return;
  if (typeof pid === "number") run.setPid(pid);
  if (typeof code === "number") run.setEnd({ code, signal: typeof signal === "number" ? signal : 0 });
  if (refused !== undefined) run.setPid(null);
  if (typeof code === "number" || refused !== undefined) server.runs.delete(token);
  // Not by itself: its last answer could be lost with it.
  if (server.retired && server.runs.size === 0) server.process.kill();
}

export function makeForkServer({ start, clock, logger }: ForkServerOptions): ForkServer {
  /** The one that takes programs. */
  let current: Started | undefined;
  let notBefore = 0;

  function begin(): void {
    if (current !== undefined || clock.now() < notBefore) return;
    notBefore = clock.now() + restMs;
    try {
      const server: Started = { process: start(), runs: new Map(), ready: false, retired: false };
      current = server;
      server.process.onAnswer((answer) => {
        hear(server, answer);
        if (server.retired && current === server) current = undefined;
      });
      void server.process.ended.then((code) => {
        logger.debug("forkserver ended", { code });
        if (current === server) current = undefined;
        endAll(server);
      });
    } catch (error) {
      // Programs are run without it, and tell what is wrong.
      logger.debug("forkserver not started", { error });
    }
  }

  return {
    ready() {
      begin();
      return current?.ready ?? false;
    },
    fork(request) {
      let setPid: Run["setPid"] = () => {};
      let setEnd: Run["setEnd"] = () => {};
      const pid = new Promise<number | null>((resolve) => (setPid = resolve));
      const ended = new Promise<{ readonly code: number; readonly signal: number } | null>(
        (resolve) => (setEnd = resolve),
      );
      if (current === undefined) {
        setPid(null);
        setEnd(null);
      } else {
        current.runs.set(request.token, { setPid, setEnd });
        current.process.send(request);
      }
      return { pid, ended };
    },
  };
}
