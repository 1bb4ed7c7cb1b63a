import * as z from "zod";
import { instanceIdSchema } from "./ids.ts";

/** What the janitor function is asked: remove disks of instances that have ended, by the instances they were made for. Safe to repeat. */
export const janitorCallSchema = z.object({ instanceIds: z.array(instanceIdSchema).min(1).max(100) });
export type JanitorCall = z.infer<typeof janitorCallSchema>;

export const janitorAnswerSchema = z.object({
  /** Of these nothing is left, or nothing was there. */
  removed: z.array(z.string()),
  /** Of these something is left: ask again. `why` is for the log. */
  left: z.array(z.object({ instanceId: z.string(), why: z.string() })),
});
export type JanitorAnswer = z.infer<typeof janitorAnswerSchema>;
