import { type ChildProcess, spawn } from "node:child_process";
import { closeSync } from "node:fs";
import { constants } from "node:os";
import type { Readable, Writable } from "node:stream";
import { setTimeout as pause } from "node:timers/promises";
import type { TerminalSize } from "#contracts/agent/terminal.ts";
import { BulkheadError } from "#contracts/errors.ts";
import { killRun } from "../exec/kill-run.ts";
import type { Marks } from "../exec/marks.ts";
import { explainSpawnFailure } from "../exec/spawn-failure.ts";
import type { PtyBinding } from "./binding.ts";
import { openPty, type Pty, type Relay, resizePty, startRelay, type TerminalUser } from "./pty.ts";

export interface ShellRequest {
  readonly size: TerminalSize;
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
}

/** A program on a terminal of its own, leader of its own session. */
export interface Shell {
  readonly pid: number;
  /** What programs write. Pausing it blocks them. Ends after the last of it. */
  readonly output: Readable;
  readonly input: Writable;
  /** Exit code of the program, 128 + n after signal n. Output may follow. */
  readonly exited: Promise<number>;
  resize(size: TerminalSize): void;
  /** Ends what is left of the terminal; with `processes` also every process of it: SIGHUP, and after a moment SIGKILL. */
  end(processes: boolean): Promise<void>;
}

export interface ShellOptions {
  readonly binding: PtyBinding;
  readonly marks: Marks;
  readonly user: TerminalUser;
  /** Between hanging up and SIGKILL. @default 500 */
  readonly graceMs?: number;
}

/**
 * Opening the terminal once more makes it the controlling one of the session that Node.js has begun for this process. `stty`: Backspace
 * takes whole characters.
 */
const takeTerminal = ': <>/proc/self/fd/0; stty iutf8 2>/dev/null; exec "$0" "$@"';

function startShell(slave: number, request: ShellRequest, user: TerminalUser): ChildProcess {
  return spawn("/bin/sh", ["-c", takeTerminal, request.file, ...request.args], {
    cwd: request.cwd,
    env: { ...request.env },
    stdio: [slave, slave, slave],
    detached: true,
    ...user,
  });
}

function started(child: ChildProcess): Promise<void> {
  if (child.pid !== undefined) return Promise.resolve();
  return new Promise((_, reject) => child.once("error", reject));
}

function exitOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve) => {
    child.once("exit", (code, signal) => resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])));
  });
}

interface Processes {
  readonly relay: Relay;
  readonly shell: ChildProcess;
}

/** All in one turn: nothing else may be started while the master can be inherited. */
function startAll(pty: Pty, request: ShellRequest, user: TerminalUser): Processes {
  let relay: Relay;
  try {
    relay = startRelay(pty.master, user);
  } finally {
    closeSync(pty.master);
  }
  try {
    return { relay, shell: startShell(pty.slave, request, user) };
  } catch (error) {
    killAll(relay.processes);
    throw error;
  } finally {
    closeSync(pty.slave);
  }
}

function killAll(processes: readonly ChildProcess[]): void {
  for (const child of processes) child.kill("SIGKILL");
}

function guard({ relay, shell }: Processes): void {
  for (const child of [...relay.processes, shell]) child.on("error", () => {});
  relay.output.on("error", () => {});
  relay.input.on("error", () => {});
}

/**
 * @throws BulkheadError HOST_UNSUITABLE, DIRECTORY_NOT_FOUND for a bad `cwd`, EXECUTION_FAILED when the sandbox has no process or the
 * host no terminal left
 */
export async function openShell(request: ShellRequest, options: ShellOptions): Promise<Shell> {
  const { binding, marks, user, graceMs = 500 } = options;
  const mark = marks.take();
  let path = "";
  try {
    const processes = marks.during(mark, () => {
      const pty = openPty(binding, request.size, user);
      path = pty.path;
      return startAll(pty, request, user);
    });
    guard(processes);
    const { relay, shell } = processes;
    const exited = exitOf(shell);
    try {
      await Promise.all([...relay.processes, shell].map(started));
    } catch (error) {
      killAll([...relay.processes, shell]);
      throw error;
    }
    const pid = shell.pid ?? 0;
    let ended: Promise<void> | undefined;
    const end = async (all: boolean): Promise<void> => {
      killAll(relay.processes);
      if (all) {
        relay.output.destroy();
        relay.input.destroy();
        const grace = pause(graceMs);
        await Promise.race([exited, grace]);
        if (marks.carriers(mark).length > 0) await grace;
        killRun(pid, mark, marks);
      }
      marks.release(mark);
    };
    return {
      ...{ pid, output: relay.output, input: relay.input, exited },
      resize: (size) => {
        if (ended === undefined) resizePty(binding, path, size);
      },
      end: (all) => (ended ??= end(all)),
    };
  } catch (error) {
    marks.release(mark);
    throw failure(error, request);
  }
}

function failure(error: unknown, { file, cwd }: ShellRequest): BulkheadError {
  if (error instanceof BulkheadError) return error;
  try {
    return new BulkheadError("EXECUTION_FAILED", explainSpawnFailure(error, file, cwd).stderr.trim(), { cause: error });
  } catch (explained) {
    if (explained instanceof BulkheadError) return explained;
    throw explained;
  }
}
