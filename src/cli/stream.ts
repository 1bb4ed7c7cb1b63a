import type { RawData, WebSocket } from "ws";
import type * as z from "zod";
import { type StreamFrame, streamFrameSchema } from "#contracts/agent/stream.ts";
import { errorRegistry } from "#contracts/errors.ts";
import type { Agent } from "./agent.ts";
import { CliError, exitCodeOfStatus, exitCodes } from "./failure.ts";
import { watchOver } from "./socket.ts";

export type ResultFrame = Extract<StreamFrame, { type: "result" }>;

export interface StreamRequest {
  readonly path: "/execute/stream" | "/commands/stream";
  /** The frame that says what to run. */
  readonly frame: object;
  /** Called with each frame in its order; a returned promise holds the sender back until it resolves. */
  readonly onFrame: (frame: StreamFrame) => Promise<void> | undefined;
  readonly signal?: AbortSignal;
}

/**
 * Runs what `frame` asks for and answers with how it ended. Hanging up ends the run.
 * @throws CliError when it could not be run or the connection broke; the reason of `signal` when that was aborted
 */
export async function runStream(agent: Agent, request: StreamRequest): Promise<ResultFrame> {
  const { signal } = request;
  const ws = await agent.socket(request.path, signal);
  const onAbort = (): void => ws.terminate();
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    watchOver(ws);
    const ended = readFrames(ws, agent, request);
    ws.send(JSON.stringify(request.frame));
    return await ended;
  } finally {
    signal?.removeEventListener("abort", onAbort);
    ws.terminate();
  }
}

function readFrames(ws: WebSocket, { sandboxId }: Agent, { onFrame, signal }: StreamRequest): Promise<ResultFrame> {
  let result: ResultFrame | undefined;
  let problem: CliError | undefined;
  let last = Promise.resolve();
  return new Promise((resolve, reject) => {
    const finish = (): void => {
      if (result !== undefined) resolve(result);
      else reject(problem ?? new CliError(`Sandbox ${sandboxId} ended the run without a result.`));
    };
    const take = (frame: StreamFrame): void => {
      const wait = onFrame(frame);
      if (wait !== undefined) {
        ws.pause();
        last = wait.then(() => ws.resume());
        last.catch(reject);
      }
      if (frame.type === "result") result = frame;
      if (frame.type === "error") problem = failureOf(frame);
      if (frame.type === "complete") void last.then(finish, reject);
    };
    ws.on("message", (data: RawData) => {
      try {
        take(readFrame(data, streamFrameSchema, sandboxId));
      } catch (error) {
        reject(error instanceof Error ? error : new Error(String(error)));
      }
    });
    ws.once("close", () => {
      const lost = `The connection to sandbox ${sandboxId} broke, which ended the run. "bulkhead show ${sandboxId}" says whether it lives.`;
      reject(signal?.aborted === true ? (signal.reason as Error) : new CliError(lost, exitCodes.network));
    });
  });
}

/** @throws CliError for a frame in a form that is not known */
export function readFrame<T>(data: RawData, schema: z.ZodType<T>, sandboxId: string): T {
  try {
    return schema.parse(JSON.parse((data as Buffer).toString()));
  } catch (cause) {
    const message = `Sandbox ${sandboxId} sent a frame in a form that this command does not know. Do their versions match?`;
    throw new CliError(message, exitCodes.other, cause);
  }
}

/** The error that an error frame tells of. */
export function failureOf({ error, code }: { readonly error: string; readonly code: string }): CliError {
  const spec = Object.hasOwn(errorRegistry, code) ? errorRegistry[code as keyof typeof errorRegistry] : undefined;
  return new CliError(error, spec === undefined ? exitCodes.other : exitCodeOfStatus(spec.status, code));
}
