import type { RawData, WebSocket } from "ws";
import { terminalEventSchema } from "#contracts/agent/terminal.ts";
import type { Agent } from "./agent.ts";
import { CliError, exitCodes } from "./failure.ts";
import type { Output } from "./output.ts";
import { watchOver } from "./socket.ts";
import { failureOf, readFrame } from "./stream.ts";
import type { Terminal } from "./terminal.ts";

export interface SessionOptions {
  readonly agent: Agent;
  readonly terminal: Terminal;
  readonly output: Output;
  readonly signal: AbortSignal;
}

/** Characters on their way before the keyboard is held back. */
const mostOnTheWay = 1024 * 1024;
/** A paste is cut, so that no frame is longer than the agent takes. */
const pieces = /.{1,65536}/gsu;

/**
 * Connects the terminal with a shell in the sandbox. Answers with the shell's exit code.
 * @throws CliError when the connection breaks
 */
export async function runShell(options: SessionOptions): Promise<number> {
  const { agent, terminal, signal } = options;
  const { cols, rows } = terminal.size();
  const ws = await agent.socket(`/terminal?cols=${cols}&rows=${rows}`, signal);
  const onAbort = (): void => ws.terminate();
  signal.addEventListener("abort", onAbort, { once: true });
  watchOver(ws);
  const send = (frame: object): void => ws.send(JSON.stringify(frame));
  const stopResizes = terminal.onResize(() => send({ type: "resize", ...terminal.size() }));
  const ended = readShell(ws, options);
  const restore = terminal.raw(
    (text) => sendKeys(ws, text, send),
    () => ws.close(),
  );
  try {
    return await ended;
  } finally {
    restore();
    stopResizes();
    signal.removeEventListener("abort", onAbort);
    ws.terminate();
  }
}

function sendKeys(ws: WebSocket, text: string, send: (frame: object) => void): Promise<void> | undefined {
  if (ws.readyState !== ws.OPEN) return undefined;
  for (const data of text.match(pieces) ?? []) send({ type: "input", data });
  if (ws.bufferedAmount < mostOnTheWay) return undefined;
  return new Promise((resolve) => ws.ping(undefined, undefined, () => resolve()));
}

function readShell(ws: WebSocket, { agent, output, signal }: SessionOptions): Promise<number> {
  const { sandboxId } = agent;
  return new Promise((resolve, reject) => {
    ws.on("message", (data: RawData) => {
      try {
        const event = readFrame(data, terminalEventSchema, sandboxId);
        if (event.type === "exit") resolve(event.code);
        if (event.type === "error") reject(failureOf(event));
        if (event.type !== "output") return;
        const wait = output.raw("stdout", event.data);
        if (wait === undefined) return;
        ws.pause();
        wait.then(() => ws.resume(), reject);
      } catch (error) {
        reject(error instanceof Error ? error : new Error(String(error)));
      }
    });
    ws.once("close", () => {
      if (signal.aborted) reject(signal.reason as Error);
      else reject(new CliError(detached(sandboxId), exitCodes.network));
    });
  });
}

function detached(id: string): string {
  return `Detached: the connection to sandbox ${id} broke. "bulkhead show ${id}" says whether it lives, "bulkhead sh ${id}" opens another shell.`;
}
