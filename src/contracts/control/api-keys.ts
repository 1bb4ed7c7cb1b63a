import * as z from "zod";
import { environmentSchema, scopeSchema } from "../access.ts";
import { maxSeconds, requestIdSchema, timestampSchema } from "./shared.ts";

const day = 86_400;

/** The words of `expires_in` in seconds; null: never. */
export const keyLifetimes = {
  "1month": 30 * day,
  "3months": 90 * day,
  "6months": 180 * day,
  "1year": 365 * day,
  never: null,
} as const;

/** `POST /auth/api-keys/{id}/rotate`: how long the old key works beside the new one. */
export const rotateApiKeyRequestSchema = z.object({
  overlap_seconds: z
    .number()
    .int()
    .min(0)
    .max(7 * day)
    .default(day),
});

/** `POST /auth/api-keys`. Without either lifetime the key ends after 90 days; both at once are refused. */
export const createApiKeyRequestSchema = z
  .object({
    name: z.string().trim().min(1).max(128),
    expires_in: z.enum(["1month", "3months", "6months", "1year", "never"]).nullish(),
    expires_in_seconds: z.number().int().min(1).max(maxSeconds).nullish(),
    /** Absent: `manage`. None can be stronger than those of the key that asks. */
    scopes: z.array(scopeSchema).min(1).max(64).nullish(),
    /** Of the sandboxes that it makes and reaches. Absent: that of the key that asks. */
    environment: environmentSchema.nullish(),
  })
  .refine((body) => body.expires_in == null || body.expires_in_seconds == null, {
    path: ["expires_in_seconds"],
    message: "give either expires_in or expires_in_seconds",
  });
export type CreateApiKeyRequest = z.infer<typeof createApiKeyRequestSchema>;

/** One key. The key itself is shown once, in `full_key` of the answer that made it. */
export const apiKeyViewSchema = z.object({
  id: z.string(),
  key_id: z.string(),
  name: z.string(),
  prefix: z.string(),
  masked_key: z.string(),
  status: z.enum(["active", "expired", "revoked"]),
  /** null: all. */
  environment: environmentSchema.nullable(),
  scopes: z.array(scopeSchema),
  created_at: timestampSchema,
  /** null: never. */
  expires_at: timestampSchema.nullable(),
  last_used_at: timestampSchema.nullable(),
  /** When it should be replaced; null: never, or it was. */
  rotate_at: timestampSchema.nullable(),
  /** Id of the key that took its place. */
  replaced_by: z.string().nullable(),
});
export type ApiKeyView = z.infer<typeof apiKeyViewSchema>;

export const apiKeyListSchema = z.object({
  success: z.literal(true),
  api_keys: z.array(apiKeyViewSchema),
  count: z.number().int(),
  request_id: requestIdSchema,
});
export const apiKeyAnswerSchema = z.object({
  success: z.literal(true),
  api_key: apiKeyViewSchema,
  request_id: requestIdSchema,
});
export const createdApiKeySchema = apiKeyAnswerSchema.extend({
  message: z.string(),
  /** The key. Keep it: it is not stored and cannot be shown again. */
  full_key: z.string(),
});
