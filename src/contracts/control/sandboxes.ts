import * as z from "zod";
import { envVarsSchema } from "../agent/env.ts";
import { endReasons, enforcementSchema, resourcesSchema } from "../domain.ts";
import { networkPolicySchema } from "./network.ts";
import { sandboxSecretSchema } from "./secrets.ts";
import { maxSeconds, requestIdSchema, timestampSchema } from "./shared.ts";

/** Statuses on the wire. Clients know the first four; a sandbox on its way out, or ended, is `deleted` (contract §3.5). */
export const wireStatuses = ["creating", "running", "paused", "stopped", "deleted"] as const;
export type WireStatus = (typeof wireStatuses)[number];

const secretsSchema = z
  .record(
    z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/, "a name is a letter or _ followed by letters, digits and _"),
    sandboxSecretSchema,
  )
  .refine((secrets) => Object.keys(secrets).length <= 20, "at most 20 secrets");

/** `POST /v1/sandboxes`. Null means absent everywhere; unknown keys are ignored, among them the deprecated `vcpu`, `memory_mb`, `disk_gb`: the template says them. */
export const createSandboxRequestSchema = z.object({
  template_name: z.string().min(1).max(128).nullish(),
  /** Wins over `template_name`. Clients send it as a string or as an integer. */
  template_id: z.union([z.string().min(1).max(128), z.number().int().nonnegative()]).nullish(),
  /** Accepted and not followed: a deployment has one region, which the answer names. */
  region: z.string().min(1).max(64).nullish(),
  /** Seconds from now until the sandbox is ended; 0, null and absent: only idle timeout and maximum lifetime end it. */
  timeout_seconds: z.number().int().min(0).max(maxSeconds).nullish(),
  internet_access: z.boolean().nullish(),
  env_vars: envVarsSchema.nullish(),
  /**
   * Variables whose values are kept elsewhere: `{NAME: "secret-id#json-key"}` of a secret that the project may use, which code in the
   * sandbox can read; or `{NAME: {from, deliver: "broker", hosts, as}}`, of which it reads a placeholder only. Beyond the Hopx API.
   */
  secrets: secretsSchema.nullish(),
  /** What it may reach. Left out: what the template or the deployment says; `internet_access: false` is `deny-all`. Beyond the Hopx API. */
  network: networkPolicySchema.nullish(),
  /** Ends the sandbox after so many seconds without activity. Beyond the Hopx API. */
  idle_timeout_seconds: z.number().int().min(1).max(maxSeconds).nullish(),
  /** Ends the sandbox so many seconds after its creation whatever it does. Beyond the Hopx API. */
  max_lifetime_seconds: z.number().int().min(1).max(maxSeconds).nullish(),
});
export type CreateSandboxRequest = z.infer<typeof createSandboxRequestSchema>;

/** Why and until when a sandbox is held for inspection. */
export const quarantineViewSchema = z.object({
  at: timestampSchema,
  /** Key id, role, or the alert that asked for it. */
  by: z.string(),
  reason: z.string(),
  /** When it ends unless it is released before. */
  until: timestampSchema,
});
export type QuarantineView = z.infer<typeof quarantineViewSchema>;

/** Types are exactly what the clients check (contract rules 8 to 12, §3.3). */
export const sandboxSchema = z.object({
  id: z.string(),
  sandbox_id: z.string(),
  object: z.literal("sandbox"),
  status: z.enum(wireStatuses),
  /** Integer here, string on a template (contract rule 9). */
  organization_id: z.number().int(),
  template_id: z.string(),
  template_name: z.string(),
  /** The instance that carries the sandbox; absent until there is one. */
  node_id: z.string().optional(),
  region: z.string(),
  /** Address of the sandbox's agent. */
  public_host: z.string(),
  direct_url: z.string(),
  preview_url: z.string(),
  resources: resourcesSchema,
  internet_access: z.boolean(),
  live_mode: z.boolean(),
  /** As asked for; null for none. */
  timeout_seconds: z.number().int().nullable(),
  /** The earlier of timeout and maximum lifetime. The idle timeout may end the sandbox before. */
  expires_at: timestampSchema,
  created_at: timestampSchema,
  started_at: timestampSchema.optional(),
  /** When it ended, or else when it will: same as `expires_at`. */
  end_at: timestampSchema,
  idle_timeout_seconds: z.number().int(),
  max_lifetime_seconds: z.number().int(),
  last_activity_at: timestampSchema,
  end_reason: z.enum(endReasons).nullable(),
  /** Whether the provider charges for its instance now. A paused one keeps its memory, and on Fargate its price. Beyond the Hopx API. */
  compute_billed: z.boolean(),
  /** What holds each limit; null until the sandbox has an instance. */
  enforced: enforcementSchema.nullable(),
  /** null unless it is held for inspection. Beyond the Hopx API. */
  quarantine: quarantineViewSchema.nullable(),
  /** Absent on the items of a list. */
  request_id: requestIdSchema.optional(),
});
export type Sandbox = z.infer<typeof sandboxSchema>;

/** `POST …/token/refresh`. A refreshed token differs from the earlier one and ends none (contract rules 6 and 7). */
export const tokenSchema = z.object({
  /** Bearer token for the sandbox's agent. */
  auth_token: z.string(),
  token_expires_at: timestampSchema,
});
export type SandboxToken = z.infer<typeof tokenSchema>;

export const createdSandboxSchema = sandboxSchema.extend(tokenSchema.shape);
export type CreatedSandbox = z.infer<typeof createdSandboxSchema>;

/** Most items of one page. A larger `limit` is brought down to it. */
export const maxPage = 100;

/** `GET /v1/sandboxes`. Empty values count as absent. */
export const listSandboxesQuerySchema = z.object({
  limit: z.coerce.number().int().min(1).default(maxPage),
  cursor: z.string().max(4096).optional(),
  /** `deleted` asks for ended sandboxes whose records still exist; without a status they are left out. */
  status: z.enum(wireStatuses).optional(),
  region: z.string().max(64).optional(),
});

export const sandboxListSchema = z.object({
  object: z.literal("list"),
  data: z.array(sandboxSchema),
  /** True exactly when `next_cursor` is a string (contract rule 16). */
  has_more: z.boolean(),
  next_cursor: z.string().nullable(),
  url: z.literal("/v1/sandboxes"),
  request_id: requestIdSchema,
});
export type SandboxList = z.infer<typeof sandboxListSchema>;

/** `PUT …/timeout`: counts from now; 0 or null clears. */
export const setTimeoutRequestSchema = z.object({
  timeout_seconds: z.number().int().min(0).max(maxSeconds).nullable(),
});

export const timeoutSchema = z.object({
  id: z.string(),
  timeout_seconds: z.number().int().nullable(),
  expires_at: timestampSchema,
  request_id: requestIdSchema,
});
export type Timeout = z.infer<typeof timeoutSchema>;

/** `POST …/pause`, `resume`, `stop` and `start`. */
export const statusAnswerSchema = z.object({
  id: z.string(),
  /** `creating` after a start whose instance takes longer than the answer may: requests to it are held until it runs. */
  status: z.enum(wireStatuses),
  compute_billed: z.boolean(),
  request_id: requestIdSchema,
});
export type StatusAnswer = z.infer<typeof statusAnswerSchema>;

/** `DELETE …/{id}`. */
export const deletedSandboxSchema = z.object({
  id: z.string(),
  object: z.literal("sandbox"),
  status: z.literal("deleted"),
  deleted: z.literal(true),
  request_id: requestIdSchema,
});
export type DeletedSandbox = z.infer<typeof deletedSandboxSchema>;
