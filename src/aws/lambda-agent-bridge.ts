import { type BridgeAnswer, type BridgeCall, bridgeAnswerSchema } from "#contracts/bridge.ts";
import { BulkheadError } from "#contracts/errors.ts";
import type { Endpoint } from "#core/model.ts";
import type { AgentPort } from "#core/ports.ts";
import type { Logger } from "#telemetry/logger.ts";
import { type InvokeDeps, makeInvoke, Unanswered } from "./lambda-invoke.ts";

/** What the bridge itself allows a call to take (bridge/agent-bridge.ts), and a cold start of it in the sandbox VPC. */
const callMs = 15_000;
const slackMs = 5_000;

/** Reaches agents through the bridge function, which has a network path to them and no AWS rights; the caller has it the other way round. */
export function makeLambdaAgentBridge(deps: InvokeDeps & { readonly logger: Logger }): AgentPort {
  const invoke = makeInvoke(deps);

  async function call(request: BridgeCall, timeoutMs: number): Promise<Extract<BridgeAnswer, { ok: true }>> {
    try {
      const answer = await invoke(request, bridgeAnswerSchema, timeoutMs);
      if (answer.ok) return answer;
      const { code, message, details } = answer.error;
      throw new BulkheadError(code, message, { details });
    } catch (thrown) {
      deps.logger.warn("bridge call failed", { operation: request.operation, error: thrown });
      throw thrown instanceof Unanswered ? unreachable(thrown.message, thrown) : thrown;
    }
  }

  async function state(request: BridgeCall, timeoutMs: number) {
    const answer = await call(request, timeoutMs);
    if (answer.state === undefined) throw unreachable("the bridge answered without a state");
    return answer.state;
  }

  return {
    async activate(endpoint, request) {
      await call({ operation: "activate", endpoint: overTcp(endpoint), request }, callMs);
    },
    renew: async (endpoint, lease) => state({ operation: "renew", endpoint: overTcp(endpoint), lease }, callMs),
    health: async (endpoint, timeoutMs) =>
      state({ operation: "health", endpoint: overTcp(endpoint), timeoutMs }, timeoutMs + slackMs),
  };
}

function overTcp(endpoint: Endpoint): BridgeCall["endpoint"] {
  if (endpoint.kind === "tcp") return endpoint;
  throw unreachable("an agent of another machine");
}

function unreachable(why: string, cause?: unknown): BulkheadError {
  return new BulkheadError("AGENT_UNREACHABLE", "The sandbox did not answer. Try again in a moment.", {
    details: { why },
    cause,
  });
}
