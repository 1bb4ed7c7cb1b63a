import { z } from "zod";

/** Environment of the authorizer function; the construct that makes the function types its environment by this schema. */
export const authorizerEnvSchema = z.object({ BULKHEAD_TABLE: z.string().min(3), AWS_REGION: z.string() });

export const env = Object.freeze(authorizerEnvSchema.parse(process.env));
