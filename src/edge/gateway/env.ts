import * as z from "zod";

/**
 * How long the load balancer in front keeps a connection on which nothing happens: the longest there is, terminals and runs may be silent.
 * The gateway keeps its end longer: a request on a connection that is being closed becomes a 502.
 */
export const balancerIdleSeconds = 4000;

/** Environment of the gateway's container; types the construct that runs it. */
export const gatewayEnvSchema = z.object({
  AWS_REGION: z.string().min(1),
  BULKHEAD_DEPLOYMENT: z.string().min(1),
  BULKHEAD_TABLE: z.string().min(3),
  /** KMS key that signs sandbox tokens: its public half is read once at start. */
  BULKHEAD_SIGNING_KEY: z.string().min(1),
  /** Domain of `<port>-<id>.<domain>`; empty: sandboxes are found by path. */
  BULKHEAD_DOMAIN: z.string().default(""),
  /** The sandbox VPC's address range: agents are nowhere else. */
  BULKHEAD_SANDBOX_CIDR: z.string().min(9),
  /** 1: the text of what is run is kept in the audit record, beside its hash and size. */
  BULKHEAD_AUDIT_CONTENT: z.enum(["0", "1"]).default("0"),
  BULKHEAD_PORT: z.coerce.number().int().default(8080),
  BULKHEAD_LOG_LEVEL: z.enum(["debug", "info", "warn", "error"]).default("info"),
});
