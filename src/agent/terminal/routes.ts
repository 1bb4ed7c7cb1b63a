import { basename } from "node:path";
import { BulkheadError } from "#contracts/errors.ts";
import type { Logger } from "#telemetry/logger.ts";
import type { AgentClock } from "../clock.ts";
import { errorFrame } from "../error-frame.ts";
import type { Marks } from "../exec/marks.ts";
import { lookUp } from "../exec/programs.ts";
import type { Lifecycle } from "../lifecycle.ts";
import type { AgentSocket, SocketRequest, SocketRoute } from "../socket.ts";
import { makePtyBinding } from "./binding.ts";
import { parseTerminalQuery, type TerminalOptions } from "./parse.ts";
import type { TerminalUser } from "./pty.ts";
import { runSession } from "./session.ts";
import { openShell, type ShellOptions, type ShellRequest } from "./shell.ts";

export interface TerminalRouteOptions extends TerminalUser {
  /** Directory of helper programs. */
  readonly tools: string;
  readonly marks: Marks;
  readonly lifecycle: Pick<Lifecycle, "env">;
  readonly clock: AgentClock;
  readonly logger: Logger;
  /** Environment of every child, below the sandbox's own. */
  readonly baseEnv: Readonly<Record<string, string>>;
  /** Where shells start. @default - as the query says */
  readonly home: string;
}

const maxTerminals = 32;
/** Programs that take `-l` to read a profile. */
const loginShells = new Set(["bash", "sh", "dash", "zsh", "ksh", "fish"]);

function programOf(shell: string | undefined, path: string): string {
  if (shell === undefined) return lookUp("bash", path) ?? "/bin/sh";
  const found = shell.includes("/") ? shell : lookUp(shell, path);
  if (found !== undefined) return found;
  throw new BulkheadError("INVALID_REQUEST", `shell ${JSON.stringify(shell.slice(0, 100))} is not installed.`, {
    details: { field: "shell" },
  });
}

function shellRequest(options: TerminalRouteOptions, asked: TerminalOptions): ShellRequest {
  const merged = { ...options.baseEnv, TERM: "xterm-256color", ...options.lifecycle.env() };
  // Programs believe these before they ask the terminal, which alone knows of a resize.
  const shared = Object.fromEntries(Object.entries(merged).filter(([name]) => name !== "COLUMNS" && name !== "LINES"));
  const file = programOf(asked.shell, shared["PATH"] ?? "");
  const name = basename(file);
  // A prompt for where nothing sets one.
  const prompt = name === "bash" ? { PS1: "\\u@\\h:\\w\\$ " } : {};
  return {
    size: asked.size,
    file,
    args: loginShells.has(name) ? ["-l"] : [],
    cwd: asked.workdir ?? options.home,
    env: { ...prompt, SHELL: file, ...shared },
  };
}

async function serve(socket: AgentSocket, request: ShellRequest, shellOptions: ShellOptions, context: Context) {
  const { id, clock, logger } = context;
  // What is typed while the shell starts waits.
  socket.pause();
  try {
    const shell = await openShell(request, shellOptions);
    socket.resume();
    await runSession({ socket, shell, clock, id });
  } catch (error) {
    if (!(error instanceof BulkheadError)) logger.error("terminal failed", { request_id: id, error });
    socket.resume();
    void socket.send(errorFrame(error, id, clock));
    socket.close(1011);
  }
}

interface Context {
  readonly id: string;
  readonly clock: AgentClock;
  readonly logger: Logger;
}

/** `/terminal`: a login shell on a terminal of its own (contract §5). Query parameters cols, rows, shell and workdir are beyond it. */
export function terminalRoutes(options: TerminalRouteOptions): SocketRoute[] {
  const { tools, marks, clock, logger, uid, gid, home } = options;
  const binding = makePtyBinding(tools);
  const user = { ...(uid === undefined ? {} : { uid }), ...(gid === undefined ? {} : { gid }) };
  let open = 0;

  function openTerminal(asked: SocketRequest): void {
    if (open >= maxTerminals) {
      throw new BulkheadError(
        "RESOURCE_LIMIT_ERROR",
        `The limit of ${maxTerminals} open terminals is reached. Close one.`,
      );
    }
    const request = shellRequest(options, parseTerminalQuery(asked.query, home));
    const shellOptions = { binding: binding(), marks, user };
    const socket = asked.accept();
    open += 1;
    void serve(socket, request, shellOptions, { id: asked.id, clock, logger }).finally(() => (open -= 1));
  }

  return [{ path: "/terminal", open: openTerminal }];
}
