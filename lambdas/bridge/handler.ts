import { makeAgentBridge } from "#bridge/agent-bridge.ts";
import { answerBridgeCall } from "#bridge/answer-call.ts";
import type { BridgeAnswer } from "#contracts/bridge.ts";
import { readEnvironment } from "#contracts/environment.ts";
import { inAddressRange } from "#core/address-range.ts";
import { bridgeEnvSchema } from "../environment.ts";
import { makeCommon } from "../parts/common.ts";

const env = readEnvironment(bridgeEnvSchema, process.env);
const { clock, logger } = makeCommon("bridge", env);
const agents = makeAgentBridge({ clock, logger, tls: "required", allow: inAddressRange(env.BULKHEAD_SANDBOX_CIDR) });

/** The only control-plane code with a way to agents. It has no AWS permissions at all. */
export const handler = (call: unknown): Promise<BridgeAnswer> => answerBridgeCall(agents, call, logger);
