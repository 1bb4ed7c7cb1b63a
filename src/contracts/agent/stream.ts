import * as z from "zod";
import { commandRequestSchema } from "./commands.ts";
import { envVarsSchema } from "./env.ts";
import { executeRequestSchema, executeResponseSchema, timeoutSeconds } from "./exec.ts";

/** Absent and null mean "execute". */
const executeType = z
  .literal("execute")
  .nullish()
  .transform(() => "execute" as const);

/** Frame of the caller on `/execute/stream` and `/stream`. After `complete` another may follow on the same socket. */
export const streamExecuteSchema = executeRequestSchema.extend({ type: executeType, timeout: timeoutSeconds(60) });
export type StreamExecute = z.infer<typeof streamExecuteSchema>;

/** Frame of the caller on `/commands/stream`; as `POST /commands/run` otherwise. */
export const streamCommandSchema = commandRequestSchema.extend({
  type: z
    .enum(["execute", "run"])
    .nullish()
    .transform((type) => type ?? "execute"),
});
export type StreamCommand = z.infer<typeof streamCommandSchema>;

/** Frame of the caller on `/stream/ipython`. */
export const streamCellSchema = z.object({
  type: executeType,
  code: z.string(),
  /** Which kernel runs it; absent: the default one. */
  context: z
    .string()
    .max(128)
    .nullish()
    .transform((context) => context || undefined),
  timeout: timeoutSeconds(60),
  env: envVarsSchema.nullish().transform((env) => env ?? {}),
});
export type StreamCell = z.infer<typeof streamCellSchema>;

const timestamp = z.string();

/**
 * Frames to the caller. Output comes a line or less at a time, and many lines at a time when there are more than a client can take
 * in singly. Each run ends with `result` or `error`, and then `complete`. An `error` without `complete` refuses a frame while a run goes on.
 */
export const streamFrameSchema = z.discriminatedUnion("type", [
  z.object({ type: z.literal("stdout"), data: z.string(), timestamp }),
  z.object({ type: z.literal("stderr"), data: z.string(), timestamp }),
  executeResponseSchema
    .omit({ stdout: true, stderr: true, language: true })
    .extend({ type: z.literal("result"), timed_out: z.literal(true).optional() }),
  z.object({ type: z.literal("error"), error: z.string(), code: z.string(), timestamp }),
  z.object({ type: z.literal("complete"), success: z.boolean(), timestamp }),
]);
export type StreamFrame = z.infer<typeof streamFrameSchema>;
