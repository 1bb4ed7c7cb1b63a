import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

/** How a step ended; `lines` are the last of its output, stdout and stderr together. */
export interface StepResult {
  readonly code: number;
  readonly lines: readonly string[];
}

export interface StepOptions {
  readonly signal: AbortSignal;
  readonly onLine?: (line: string) => void;
}

/** Runs one program of the host to its end. Code 127: it is not there. Rejects when the signal aborts. */
export type RunStep = (command: readonly string[], options: StepOptions) => Promise<StepResult>;

const keptLines = 40;

/** Files are made readable for all: the uid that sandboxes run under is another. */
const wrapper = ["-c", 'umask 022; exec "$@"', "sh"];

export const runStep: RunStep = (command, { signal, onLine }) =>
  new Promise((resolve, reject) => {
    const child = spawn("/bin/sh", [...wrapper, ...command], { signal, stdio: ["ignore", "pipe", "pipe"] });
    const lines: string[] = [];
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on("line", (line) => {
        lines.push(line);
        if (lines.length > keptLines) lines.shift();
        onLine?.(line);
      });
    }
    child.on("error", (error) => reject(error));
    child.on("close", (code) => {
      if (signal.aborted) reject(new Error("given up"));
      else resolve({ code: code ?? 1, lines });
    });
  });
