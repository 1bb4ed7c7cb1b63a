import * as z from "zod";
import { executeResponseSchema } from "./exec.ts";
import { streamCellSchema } from "./stream.ts";

/** `POST /execute/ipython`: a cell in a kernel that keeps its variables. */
export const ipythonRequestSchema = streamCellSchema.omit({ type: true });

/** As that of `/execute`. */
export const ipythonResponseSchema = executeResponseSchema.extend({
  latex: z.string().optional(),
  context: z.string(),
  /** Cells of this kernel so far, this one included; 0 when it did not get to its end. */
  execution_count: z.number().int(),
  timed_out: z.literal(true).optional(),
});
export type IpythonResponse = z.infer<typeof ipythonResponseSchema>;

/** `GET /jupyter/sessions`. */
export const jupyterSessionsSchema = z.object({
  sessions: z.array(
    z.object({
      /** Name of the context. */
      kernel_id: z.string(),
      execution_state: z.enum(["starting", "idle", "busy", "dead"]),
      /** Calls that run or wait. */
      connections: z.number().int(),
      last_activity: z.string(),
    }),
  ),
  count: z.number().int(),
  timestamp: z.string(),
});
export type JupyterSessions = z.infer<typeof jupyterSessionsSchema>;
