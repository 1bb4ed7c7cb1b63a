import * as z from "zod";
import { quarantineViewSchema, wireStatuses } from "./sandboxes.ts";
import { requestIdSchema } from "./shared.ts";

/** Longest hold: 90 days. */
export const maxHoldSeconds = 90 * 86_400;

/** `POST …/quarantine`. */
export const quarantineRequestSchema = z.object({
  /** Shown to whoever asks for the sandbox meanwhile, and kept in the audit record. */
  reason: z
    .string()
    .trim()
    .min(1)
    .max(500)
    .refine((text) => !/\p{Cc}/u.test(text), "has control characters"),
  /** From now; it ends then, unless it was released. Left out: what the deployment says, a week by default. */
  hold_seconds: z.number().int().min(60).max(maxHoldSeconds).nullish(),
});

/** `POST` and `DELETE …/quarantine`. */
export const quarantineAnswerSchema = z.object({
  id: z.string(),
  status: z.enum(wireStatuses),
  /** null: it is not held (any more). */
  quarantine: quarantineViewSchema.nullable(),
  /** Whether nothing of its code runs; false after a quarantine: it could not be stopped yet, and is tried again. */
  frozen: z.boolean(),
  request_id: requestIdSchema,
});
export type QuarantineAnswer = z.infer<typeof quarantineAnswerSchema>;
