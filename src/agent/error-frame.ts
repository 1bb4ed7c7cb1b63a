import { agentErrorBody } from "#contracts/error-body.ts";
import { toBulkheadError } from "#contracts/errors.ts";
import { toRfc3339 } from "#contracts/time.ts";
import type { AgentClock } from "./clock.ts";

/** A failure as a frame of a WebSocket: the agent's error body and a type. `id` is the request id of the upgrade. */
export function errorFrame(thrown: unknown, id: string, clock: AgentClock): object {
  const context = { requestId: id, timestamp: toRfc3339(clock.now()) };
  return { type: "error", ...agentErrorBody(toBulkheadError(thrown), context) };
}
