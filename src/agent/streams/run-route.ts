import { BulkheadError, toBulkheadError } from "#contracts/errors.ts";
import { toRfc3339 } from "#contracts/time.ts";
import type { Logger } from "#telemetry/logger.ts";
import type { AgentClock } from "../clock.ts";
import { errorFrame } from "../error-frame.ts";
import type { RichResult, RunRequest } from "../exec/run.ts";
import type { Fields } from "../fields.ts";
import type { Lifecycle } from "../lifecycle.ts";
import type { AgentSocket, SocketRoute } from "../socket.ts";
import { makeOutputFrames } from "./output-frames.ts";
import { resultFrame, richLimitOf } from "./result-frame.ts";

export interface RunRouteOptions {
  readonly lifecycle: Pick<Lifecycle, "execution">;
  readonly clock: AgentClock;
  readonly logger: Logger;
}

/** A run that a frame asks for, ready to start. */
export type StreamedRun = (to: Required<Pick<RunRequest, "onOutput" | "signal">>) => Promise<RichResult>;

/** @throws BulkheadError for a frame that asks for nothing that can be run */
export type ReadRun = (fields: Fields) => StreamedRun;

interface Connection extends RunRouteOptions {
  readonly socket: AgentSocket;
  readonly readRun: ReadRun;
  readonly requestId: string;
  readonly richLimit: number;
}

/** @returns whether the run succeeded */
async function streamRun(connection: Connection, fields: Fields): Promise<boolean> {
  const { socket, clock, lifecycle, readRun, richLimit } = connection;
  const run = readRun(fields);
  const output = makeOutputFrames(socket, clock);
  const result = await lifecycle.execution(() => run({ onOutput: output.onOutput, signal: socket.closed }));
  output.end();
  const { frame, dropped } = resultFrame(result, clock, richLimit);
  if (dropped.length > 0) {
    const note = `[bulkhead] ${dropped.join(", ")} left out: too large for this client's frames. Use POST /execute.\n`;
    void output.onOutput("stderr", Buffer.from(note));
  }
  void socket.send(frame);
  return frame.success;
}

/** Resolves when its last frame is on its way. */
async function answer(connection: Connection, fields: Fields): Promise<void> {
  const { socket, clock, logger, requestId } = connection;
  let success = false;
  try {
    success = await streamRun(connection, fields);
  } catch (thrown) {
    const error = toBulkheadError(thrown);
    if (error.code === "INTERNAL_ERROR") logger.error("stream failed", { request_id: requestId, error: thrown });
    void socket.send(errorFrame(error, requestId, clock));
  }
  await socket.send({ type: "complete", success, timestamp: toRfc3339(clock.now()) });
}

/** A socket that runs what its frames ask for, one after the other. The run of a caller who goes away ends. */
export function runRoute(path: string, options: RunRouteOptions, readRun: ReadRun): SocketRoute {
  return {
    path,
    open(request) {
      const socket = request.accept();
      const richLimit = richLimitOf(request.req.headers["user-agent"]);
      const connection: Connection = { ...options, socket, readRun, requestId: request.id, richLimit };
      let busy = false;
      socket.onFrame((fields) => {
        if (busy) {
          const conflict = new BulkheadError("CONFLICT", "A run goes on here. Send the next after its complete frame.");
          const behind = socket.send(errorFrame(conflict, request.id, options.clock));
          if (behind === undefined) return;
          // One who sends without reading the answers.
          socket.pause();
          void behind.finally(() => socket.resume());
          return;
        }
        busy = true;
        void answer(connection, fields).finally(() => (busy = false));
      });
    },
  };
}
