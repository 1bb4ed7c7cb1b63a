import * as z from "zod";
import { commandRequestSchema } from "./commands.ts";
import { executeRequestSchema } from "./exec.ts";
import { maxBackgroundSeconds } from "./languages.ts";

/** Seconds, clamped to {@link maxBackgroundSeconds}; 0, null and absent mean the default. */
function longTimeout(byDefault: number) {
  return z
    .number()
    .min(0)
    .nullish()
    .transform((asked) => Math.min(asked || byDefault, maxBackgroundSeconds));
}

const name = z
  .string()
  .max(200)
  .nullish()
  .transform((given) => given ?? "");

/** `POST /execute/background`. Answers {@link startedProcessSchema} as soon as the code is on its way. */
export const backgroundRequestSchema = executeRequestSchema.extend({ timeout: longTimeout(300), name });
export type BackgroundRequest = z.infer<typeof backgroundRequestSchema>;

/** `POST /commands/background`. Without a timeout it lives as long as its sandbox. */
export const backgroundCommandRequestSchema = commandRequestSchema.extend({ timeout: longTimeout(0), name });
export type BackgroundCommandRequest = z.infer<typeof backgroundCommandRequestSchema>;

const headerName = /^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$/;
/** Visible ASCII, space and tab: nothing that could end the line. */
const headerValue = /^[\t\x20-\x7e]{0,4096}$/;

/**
 * `POST /execute/async`: as in the background; the outcome is sent to `callback_url` through the sandbox's own way out
 * ({@link callbackBodySchema}).
 */
export const asyncRequestSchema = executeRequestSchema.extend({
  timeout: longTimeout(1800),
  /** http or https, without user and password. */
  callback_url: z.string().min(1).max(2048),
  callback_headers: z
    .record(z.string().regex(headerName), z.string().regex(headerValue))
    .refine((headers) => Object.keys(headers).length <= 50, "at most 50 headers")
    .nullish()
    .transform((headers) => headers ?? {}),
  /** Signs the callback: `X-HOPX-Signature: sha256=<hex>`, the HMAC-SHA256 of the raw body. Never shown again. */
  callback_signature_secret: z
    .string()
    .max(1024)
    .nullish()
    .transform((secret) => secret ?? ""),
});
export type AsyncRequest = z.infer<typeof asyncRequestSchema>;

export const processStatuses = ["running", "completed", "failed", "killed"] as const;
export type ProcessStatus = (typeof processStatuses)[number];

/** One background process of `GET /execute/processes`. Times are RFC 3339, durations seconds. */
export const backgroundProcessSchema = z.object({
  process_id: z.string(),
  execution_id: z.string(),
  /** Never null (contract rule 27). */
  name: z.string(),
  status: z.enum(processStatuses),
  /** Empty for a command. */
  language: z.string(),
  command: z.string(),
  start_time: z.string(),
  started_at: z.string(),
  end_time: z.string().nullable(),
  exit_code: z.number().int().nullable(),
  duration: z.number(),
  /** null until it has started. */
  pid: z.number().int().nullable(),
});
export type BackgroundProcess = z.infer<typeof backgroundProcessSchema>;

/** `GET /execute/processes/{id}`, beyond the Hopx API: with the first and last of what it has written, also after its end. */
export const backgroundProcessDetailSchema = backgroundProcessSchema.extend({
  stdout: z.string(),
  stderr: z.string(),
  /** Of /execute/async. */
  callback: z
    .object({
      status: z.enum(["waiting", "delivering", "delivered", "failed"]),
      attempts: z.number().int(),
      last_error: z.string().nullable(),
    })
    .optional(),
});
export type BackgroundProcessDetail = z.infer<typeof backgroundProcessDetailSchema>;

/** What is posted to `callback_url`. */
export const callbackBodySchema = z.object({
  execution_id: z.string(),
  status: z.enum(["completed", "failed", "timeout"]),
  stdout: z.string(),
  stderr: z.string(),
  exit_code: z.number().int(),
  /** Seconds. */
  execution_time: z.number(),
  timestamp: z.string(),
  /** Why it is not completed; empty else. */
  error: z.string(),
});
export type CallbackBody = z.infer<typeof callbackBodySchema>;
