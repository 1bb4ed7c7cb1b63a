import * as z from "zod";
import { activateRequestSchema, agentEnvAnswerSchema, agentStateSchema, leaseSchema } from "./agent-control.ts";

/** What the bridge function is asked, by Lambda Invoke. It holds env values of sandboxes: neither side logs it. */

const endpointSchema = z.object({
  kind: z.literal("tcp"),
  host: z.string(),
  port: z.number().int().min(1).max(65_535),
  fingerprint: z.string().optional(),
  egressKeyHash: z.string().optional(),
});

export const bridgeCallSchema = z.discriminatedUnion("operation", [
  z.object({ operation: z.literal("activate"), endpoint: endpointSchema, request: activateRequestSchema }),
  z.object({ operation: z.literal("renew"), endpoint: endpointSchema, lease: leaseSchema }),
  z.object({ operation: z.literal("freeze"), endpoint: endpointSchema }),
  z.object({ operation: z.literal("thaw"), endpoint: endpointSchema }),
  z.object({ operation: z.literal("env"), endpoint: endpointSchema }),
  z.object({ operation: z.literal("health"), endpoint: endpointSchema, timeoutMs: z.number().int().positive() }),
]);
export type BridgeCall = z.infer<typeof bridgeCallSchema>;

/** Errors that a call to an agent may end with. */
export const bridgeErrorCodes = ["AGENT_UNREACHABLE", "CONFLICT", "INTERNAL_ERROR"] as const;

export const bridgeAnswerSchema = z.discriminatedUnion("ok", [
  /** `state` is absent after `activate` and `env`; only the latter has `env`. */
  z.object({
    ok: z.literal(true),
    state: agentStateSchema.optional(),
    env: agentEnvAnswerSchema.shape.env.optional(),
  }),
  z.object({
    ok: z.literal(false),
    error: z.object({
      code: z.enum(bridgeErrorCodes),
      message: z.string(),
      details: z.record(z.string(), z.unknown()).default({}),
    }),
  }),
]);
export type BridgeAnswer = z.infer<typeof bridgeAnswerSchema>;
