import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, constants, fchmodSync, fchownSync, openSync } from "node:fs";
import type { Readable, Writable } from "node:stream";
import type { TerminalSize } from "#contracts/agent/terminal.ts";
import { BulkheadError } from "#contracts/errors.ts";
import type { PtyBinding } from "./binding.ts";

/** Who a terminal belongs to; absent: the agent's own. */
export interface TerminalUser {
  readonly uid?: number;
  readonly gid?: number;
}

export interface Pty {
  /** Inherited by every child while it is open: close it before anything but the relay is started. */
  readonly master: number;
  /** The side programs see; not inherited by itself. */
  readonly slave: number;
  /** Of the slave. */
  readonly path: string;
}

const terminalFlags = constants.O_RDWR | constants.O_NOCTTY;

function own(slave: number, { uid, gid }: TerminalUser): void {
  if (uid === undefined || gid === undefined) return;
  fchownSync(slave, uid, gid);
  fchmodSync(slave, 0o600);
}

/** @throws BulkheadError EXECUTION_FAILED when the kernel has none left, HOST_UNSUITABLE when it gives none that can be used */
export function openPty(binding: PtyBinding, { cols, rows }: TerminalSize, user: TerminalUser): Pty {
  const opened: number[] = [];
  try {
    const { master, slave: inherited, pty: path } = binding.open(cols, rows);
    opened.push(master, inherited);
    const slave = openSync(path, terminalFlags);
    opened.push(slave);
    own(slave, user);
    closeSync(inherited);
    return { master, slave, path };
  } catch (cause) {
    for (const fd of opened) closeSync(fd);
    if (opened.length === 0) {
      throw new BulkheadError("EXECUTION_FAILED", "No more terminals can be opened on this host. Close some.", {
        cause,
      });
    }
    throw new BulkheadError("HOST_UNSUITABLE", "Terminals cannot be used here: /dev/pts is not accessible.", { cause });
  }
}

/** The foreground processes get SIGWINCH. Nothing happens once the terminal has ended. */
export function resizePty(binding: PtyBinding, path: string, { cols, rows }: TerminalSize): void {
  let fd: number;
  try {
    fd = openSync(path, terminalFlags | constants.O_NONBLOCK);
  } catch {
    // Hung up a moment ago; its exit frame is on the way.
    return;
  }
  try {
    binding.resize(fd, cols, rows);
  } finally {
    closeSync(fd);
  }
}

/** Two processes between the terminal's master and pipes. */
export interface Relay {
  readonly output: Readable;
  readonly input: Writable;
  readonly processes: readonly ChildProcess[];
}

/**
 * Copies by `cat`: pipes can wait, both ways and without a thread, which a terminal's master cannot in Node.js. And only these two hold
 * the master afterwards, which Node.js cannot keep from being inherited: a process of another run that had it would keep the terminal
 * from hanging up.
 */
export function startRelay(master: number, user: TerminalUser): Relay {
  const options = { env: {}, cwd: "/", ...user };
  const reader = spawn("/bin/cat", [], { ...options, stdio: [master, "pipe", "ignore"] });
  const writer = spawn("/bin/cat", [], { ...options, stdio: ["pipe", master, "ignore"] });
  const { stdout: output } = reader;
  const { stdin: input } = writer;
  if (output === null || input === null) throw new Error("asked for a pipe and got none");
  return { output, input, processes: [reader, writer] };
}
