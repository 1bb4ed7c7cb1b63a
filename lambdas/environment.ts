import * as z from "zod";
import { launchSettingsSchema, teardownSettingsSchema } from "#aws/compute/settings.ts";
import { networkPolicySchema } from "#contracts/control/network.ts";
import { iamProjectsSchema } from "./api/iam-projects.ts";

/**
 * What the functions are told by their environment. Each schema is read once by its function and types the environment that the
 * construct gives it (infra/constructs/platform-function.ts): a variable that is missing does not compile.
 */

/** A variable that holds JSON; on the construct's side it is a string. */
function json<T extends z.ZodType>(schema: T) {
  return z
    .string()
    .transform((text, context): unknown => {
      try {
        return JSON.parse(text);
      } catch {
        context.addIssue({ code: "custom", message: "is not JSON" });
        return z.NEVER;
      }
    })
    .pipe(schema);
}

/** What a deployment decides about its sandboxes; times as their names say. */
export const settingsSchema = z.object({
  idleTimeoutSeconds: z.number().int().positive(),
  maxLifetimeSeconds: z.number().int().positive(),
  /** How long a create waits for its instance before it answers `creating`; below API Gateway's 29 s. */
  createWaitMs: z.number().int().positive(),
  quotaPerProject: z.number().int().positive(),
  /** Warm instances to hold, by template name. */
  pool: z.record(z.string(), z.number().int().nonnegative()),
  tombstoneSeconds: z.number().int().positive(),
  /** Fargate launches per second that this deployment allows itself, and the burst before that. */
  launchesPerSecond: z.number().positive(),
  launchBurst: z.number().int().positive(),
  organizationId: z.number().int(),
  /** Project of callers that come with an IAM role. */
  defaultProject: z.string().min(1),
  /** What sandboxes may reach whose caller and template say nothing. @default - every public address */
  network: networkPolicySchema.optional(),
  /** Projects of IAM roles. @default - all have the default project */
  iamProjects: iamProjectsSchema.optional(),
  /** Longest life of an API key. @default - as long as is asked for */
  maxKeySeconds: z.number().int().positive().optional(),
  /** How long a sandbox is held in quarantine unless it is released. @default - a week */
  quarantineSeconds: z.number().int().positive().optional(),
});
export type Settings = z.infer<typeof settingsSchema>;

export const baseEnvSchema = z.object({
  AWS_REGION: z.string().min(1),
  BULKHEAD_DEPLOYMENT: z.string().min(1),
  BULKHEAD_LOG_LEVEL: z.enum(["debug", "info", "warn", "error"]).default("info"),
});

const stateEnvSchema = baseEnvSchema.extend({ BULKHEAD_TABLE: z.string().min(3) });
const platformEnvSchema = stateEnvSchema.extend({ BULKHEAD_SETTINGS: json(settingsSchema) });

const addressesEnv = {
  /** Address of the gateway, without a trailing slash, e.g. https://d111.cloudfront.net. */
  BULKHEAD_GATEWAY_URL: z.url(),
  /** Domain of `<port>-<id>.<domain>`; empty: sandboxes are found by path. */
  BULKHEAD_DOMAIN: z.string().default(""),
};
const bridgeEnv = {
  /** Name of the bridge function. */
  BULKHEAD_BRIDGE: z.string().min(1),
};
const dataKeyEnv = {
  /** KMS key that env values are sealed with. */
  BULKHEAD_DATA_KEY: z.string().min(1),
};
const teardownEnv = {
  /** Name of the function that removes an instance's files. */
  BULKHEAD_JANITOR: z.string().min(1),
  BULKHEAD_TEARDOWN: json(teardownSettingsSchema),
  /** Port of the agent inside every instance. */
  BULKHEAD_AGENT_PORT: z.coerce.number().int().default(7777),
};

const auditKeyEnv = {
  /** KMS key (ECC_NIST_P256) that signs checkpoints of the audit record and evidence. */
  BULKHEAD_AUDIT_KEY: z.string().min(1),
};

export const authorizerEnvSchema = stateEnvSchema;
export const chainerEnvSchema = platformEnvSchema.extend(auditKeyEnv);
export const apiReadEnvSchema = platformEnvSchema.extend({ ...addressesEnv, ...auditKeyEnv });
export const apiLifecycleEnvSchema = apiReadEnvSchema.extend({
  ...bridgeEnv,
  ...dataKeyEnv,
  BULKHEAD_TEARDOWN: teardownEnv.BULKHEAD_TEARDOWN,
  /** KMS key (ECC_NIST_P256) that signs sandbox tokens. */
  BULKHEAD_SIGNING_KEY: z.string().min(1),
  /** Names of secrets that sandboxes may be given start with this. */
  BULKHEAD_SECRET_PREFIX: z.string().min(1),
});
export const taskEventsEnvSchema = platformEnvSchema.extend({ ...bridgeEnv, ...dataKeyEnv, ...teardownEnv });
export const poolEnvSchema = platformEnvSchema.extend({ BULKHEAD_LAUNCH: json(launchSettingsSchema) });
export const bridgeEnvSchema = baseEnvSchema.extend({
  /** The sandbox VPC's address range: the bridge connects to nothing else. */
  BULKHEAD_SANDBOX_CIDR: z.string().min(9),
});
export const janitorEnvSchema = baseEnvSchema.extend({
  /** Where the file system's root is mounted. */
  BULKHEAD_MOUNT: z.string().startsWith("/"),
});
export const bootstrapEnvSchema = stateEnvSchema.extend({
  BULKHEAD_SETTINGS: json(settingsSchema),
  /** Secret that receives the deployment's first API key. */
  BULKHEAD_FIRST_KEY_SECRET: z.string().min(1),
  /** KMS key that the egress CA's key is sealed with. */
  BULKHEAD_DATA_KEY: z.string().min(1),
});
