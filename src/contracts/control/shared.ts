import * as z from "zod";

/** RFC 3339 UTC with exactly three fractional digits (contract rule 8). */
export const timestampSchema = z.string().regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);

export const requestIdSchema = z.string().regex(/^req_[a-z0-9]{20}$/);

/** Longest time any deadline may be asked for: ten years of seconds. */
export const maxSeconds = 315_360_000;

const errorCore = {
  code: z.string(),
  message: z.string(),
  request_id: z.string(),
  /** True when the same request may succeed later without a change. */
  retryable: z.boolean(),
  /** Always an object, never null (contract rule 18). */
  details: z.record(z.string(), z.unknown()),
};

/** Union error body: Python reads the nested object, JavaScript the top level (contract §2.4). */
export const errorBodySchema = z.object({
  error: z.object(errorCore),
  ...errorCore,
  sandbox_id: z.string().optional(),
  created_at: z.string().optional(),
  expires_at: z.string().nullish(),
  status: z.string().optional(),
  end_reason: z.string().nullish(),
});

/** `GET /health`; clients check the word (contract rule 22). */
export const healthSchema = z.object({ status: z.literal("healthy") });
export type Health = z.infer<typeof healthSchema>;

/** Answer where clients need nothing but a JSON body (contract rule 1). */
export const acknowledgementSchema = z.object({ success: z.literal(true), message: z.string() });
