import * as z from "zod";
import { envVarsSchema } from "./env.ts";
import { timeoutSeconds } from "./exec.ts";

/** `POST /commands/run`. Without `args` the command is a line for a shell; with them it is the program's name. */
export const commandRequestSchema = z.object({
  command: z.string().min(1),
  args: z
    .array(z.string())
    .nullish()
    .transform((args) => args ?? []),
  timeout: timeoutSeconds(30),
  workdir: z
    .string()
    .max(4096)
    .nullish()
    .transform((path) => path || "/workspace"),
  env: envVarsSchema.nullish().transform((env) => env ?? {}),
});
export type CommandRequest = z.infer<typeof commandRequestSchema>;

/** HTTP 200 whatever the command did, as with /execute. */
export const commandResponseSchema = z.object({
  success: z.boolean(),
  stdout: z.string(),
  stderr: z.string(),
  exit_code: z.number().int(),
  /** Seconds. */
  execution_time: z.number(),
  command: z.string(),
  pid: z.number().int(),
  timestamp: z.string(),
});
export type CommandResponse = z.infer<typeof commandResponseSchema>;
