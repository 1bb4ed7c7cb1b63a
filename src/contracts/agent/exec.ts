import * as z from "zod";
import { envVarsSchema } from "./env.ts";
import { maxExecSeconds } from "./languages.ts";

export { languageOf } from "./languages.ts";

/** Seconds, positive, clamped to {@link maxExecSeconds}; 0, null and absent mean the default. */
export function timeoutSeconds(byDefault: number) {
  return z
    .number()
    .min(0)
    .nullish()
    .transform((asked) => Math.min(asked || byDefault, maxExecSeconds));
}

const workdir = z
  .string()
  .max(4096)
  .nullish()
  .transform((path) => path || "/workspace");

/** `POST /execute`. */
export const executeRequestSchema = z.object({
  code: z.string(),
  language: z
    .string()
    .nullish()
    .transform((language) => language || "python"),
  timeout: timeoutSeconds(120),
  workdir,
  env: envVarsSchema.nullish().transform((env) => env ?? {}),
});
export type ExecuteRequest = z.infer<typeof executeRequestSchema>;

/**
 * `POST /execute`: HTTP 200 whatever the code did. A non-zero exit is `success: false` with its `exit_code`; a run that was
 * killed for its time has exit code 124 and says so at the end of `stderr`. Rich output stands in flat fields, each absent when there is none.
 */
export const executeResponseSchema = z.object({
  success: z.boolean(),
  stdout: z.string(),
  stderr: z.string(),
  exit_code: z.number().int(),
  /** Seconds. */
  execution_time: z.number(),
  language: z.string(),
  timestamp: z.string(),
  /** Base64. */
  png: z.string().optional(),
  html: z.string().optional(),
  json: z.unknown().optional(),
  svg: z.string().optional(),
  markdown: z.string().optional(),
  /** Text form of the last expression's value. */
  result: z.string().optional(),
  /** Data frame as an object of columns or rows. */
  dataframe: z.unknown().optional(),
});
export type ExecuteResponse = z.infer<typeof executeResponseSchema>;
