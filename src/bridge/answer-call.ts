import { type BridgeAnswer, type BridgeCall, bridgeCallSchema, bridgeErrorCodes } from "#contracts/bridge.ts";
import { toBulkheadError } from "#contracts/errors.ts";
import type { AgentPort } from "#core/ports.ts";
import type { Logger } from "#telemetry/logger.ts";

/** Answers one invocation of the bridge function. Never throws, and logs nothing of what it was given. */
export async function answerBridgeCall(agent: AgentPort, payload: unknown, logger: Logger): Promise<BridgeAnswer> {
  const parsed = bridgeCallSchema.safeParse(payload);
  if (!parsed.success) {
    const fields = parsed.error.issues.map((issue) => issue.path.slice(0, 2).join("."));
    logger.error("call of unknown shape", { fields });
    return failure("INTERNAL_ERROR", "The bridge did not understand the call.", {});
  }
  try {
    return await act(agent, parsed.data);
  } catch (thrown) {
    const { code, message, details } = toBulkheadError(thrown);
    const known = bridgeErrorCodes.find((one) => one === code) ?? "INTERNAL_ERROR";
    logger.warn("call failed", { operation: parsed.data.operation, code, why: details["why"] });
    return failure(known, message, details);
  }
}

async function act(agent: AgentPort, call: BridgeCall): Promise<BridgeAnswer> {
  switch (call.operation) {
    case "activate":
      await agent.activate(call.endpoint, call.request);
      return { ok: true };
    case "renew":
      return { ok: true, state: await agent.renew(call.endpoint, call.lease) };
    case "freeze":
      return { ok: true, state: await agent.freeze(call.endpoint) };
    case "thaw":
      return { ok: true, state: await agent.thaw(call.endpoint) };
    case "env":
      return { ok: true, env: { ...(await agent.env(call.endpoint)) } };
    case "health":
      return { ok: true, state: await agent.health(call.endpoint, call.timeoutMs) };
  }
}

type Failure = Extract<BridgeAnswer, { ok: false }>["error"];

function failure(code: Failure["code"], message: string, details: Readonly<Record<string, unknown>>): BridgeAnswer {
  return { ok: false, error: { code, message, details: { ...details } } };
}
