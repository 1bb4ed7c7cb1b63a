import type { AgentState } from "#contracts/agent-control.ts";
import { type BridgeAnswer, type BridgeCall, bridgeAnswerSchema } from "#contracts/bridge.ts";
import { BulkheadError } from "#contracts/errors.ts";
import type { Endpoint } from "#core/model.ts";
import type { AgentPort } from "#core/ports.ts";
import type { Logger } from "#telemetry/logger.ts";
import { type InvokeDeps, makeInvoke, Unanswered } from "./lambda-invoke.ts";

/** What the bridge itself allows a call to take (bridge/agent-bridge.ts), and a cold start of it in the sandbox VPC. */
const callMs = 15_000;
const slackMs = 5_000;

type Answered = Extract<BridgeAnswer, { ok: true }>;

/** Reaches agents through the bridge function, which has a network path to them and no AWS rights; the caller has it the other way round. */
export function makeLambdaAgentBridge(deps: InvokeDeps & { readonly logger: Logger }): AgentPort {
  const invoke = makeInvoke(deps);

  async function call<T>(request: BridgeCall, timeoutMs: number, read: (answer: Answered) => T): Promise<T> {
    try {
      const answer = await invoke(request, bridgeAnswerSchema, timeoutMs);
      if (answer.ok) return read(answer);
      const { code, message, details } = answer.error;
      throw new BulkheadError(code, message, { details });
    } catch (thrown) {
      deps.logger.warn("bridge call failed", { operation: request.operation, error: thrown });
      throw thrown instanceof Unanswered ? unreachable(thrown.message, thrown) : thrown;
    }
  }

  return {
    activate: async (endpoint, request) =>
      call({ operation: "activate", endpoint: overTcp(endpoint), request }, callMs, () => undefined),
    renew: async (endpoint, lease) => call({ operation: "renew", endpoint: overTcp(endpoint), lease }, callMs, stateOf),
    freeze: async (endpoint) => call({ operation: "freeze", endpoint: overTcp(endpoint) }, callMs, stateOf),
    thaw: async (endpoint) => call({ operation: "thaw", endpoint: overTcp(endpoint) }, callMs, stateOf),
    env: async (endpoint) => call({ operation: "env", endpoint: overTcp(endpoint) }, callMs, envOf),
    health: async (endpoint, timeoutMs) =>
      call({ operation: "health", endpoint: overTcp(endpoint), timeoutMs }, timeoutMs + slackMs, stateOf),
  };
}

function stateOf({ state }: Answered): AgentState {
  if (state === undefined) throw new Unanswered("the bridge answered without a state");
  return state;
}

function envOf({ env }: Answered): Readonly<Record<string, string>> {
  if (env === undefined) throw new Unanswered("the bridge answered without an environment");
  return env;
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
