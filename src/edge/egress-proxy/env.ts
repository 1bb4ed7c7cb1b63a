import * as z from "zod";

/** Environment of the egress proxy's container; types the construct that runs it. */
export const egressProxyEnvSchema = z.object({
  AWS_REGION: z.string().min(1),
  BULKHEAD_DEPLOYMENT: z.string().min(1),
  BULKHEAD_TABLE: z.string().min(3),
  /** The sandbox VPC's address range: connections from anywhere else are refused. */
  BULKHEAD_SANDBOX_CIDR: z.string().min(9),
  /** Role whose sessions sign for sandboxes that have AWS grants. */
  BULKHEAD_ACCESS_ROLE_ARN: z.string().startsWith("arn:"),
  /** KMS key that opens the egress CA's key (src/aws/egress-authority.ts). */
  BULKHEAD_DATA_KEY: z.string().min(1),
  /** Names of secrets that are put into requests start with this; then follows the project. */
  BULKHEAD_SECRET_PREFIX: z.string().min(1),
  /** How long the egress record is kept. */
  BULKHEAD_EGRESS_DAYS: z.coerce.number().int().min(1).default(30),
  BULKHEAD_PORT: z.coerce.number().int().default(3128),
  /** Answers `GET /health` for the load balancer and the container health check. */
  BULKHEAD_HEALTH_PORT: z.coerce.number().int().default(8081),
  BULKHEAD_LOG_LEVEL: z.enum(["debug", "info", "warn", "error"]).default("info"),
});
