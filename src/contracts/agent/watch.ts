import * as z from "zod";

/** Frames of the caller on `/files/watch` (contract §5). `unwatch` is beyond the contract. */
export const watchFrameSchema = z.object({ action: z.enum(["watch", "unwatch"]), path: z.string().min(1) });
export type WatchFrame = z.infer<typeof watchFrameSchema>;

export const watchChangeSchema = z.object({
  type: z.literal("change"),
  path: z.string(),
  event: z.enum(["created", "modified", "deleted", "renamed"]),
  timestamp: z.string(),
  /** With `renamed`: the name it has now, which is reported as well. Beyond the contract. */
  new_path: z.string().optional(),
});
export type WatchChange = z.infer<typeof watchChangeSchema>;

/** Frames of the agent on `/files/watch`. After an `error` the socket goes on with what else it watches. */
export const watchEventSchema = z.discriminatedUnion("type", [
  watchChangeSchema,
  z.looseObject({ type: z.literal("error"), error: z.string(), code: z.string(), timestamp: z.string() }),
]);
