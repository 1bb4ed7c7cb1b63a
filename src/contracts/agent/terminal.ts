import * as z from "zod";

/** Characters. */
const extent = z.number().int().min(1).max(1000);

export const terminalSizeSchema = z.object({ cols: extent, rows: extent });
export type TerminalSize = z.infer<typeof terminalSizeSchema>;

/** Frames of the caller on `/terminal` (contract §5). */
export const terminalFrameSchema = z.discriminatedUnion("type", [
  z.object({ type: z.literal("input"), data: z.string() }),
  z.object({ type: z.literal("resize"), cols: extent, rows: extent }),
]);
export type TerminalFrame = z.infer<typeof terminalFrameSchema>;

/**
 * Frames of the agent on `/terminal`. `exit` is the last; `code` is 128 + n after signal n. `error` says why a frame was refused, and
 * is the last where no shell could be started.
 */
export const terminalEventSchema = z.discriminatedUnion("type", [
  z.object({ type: z.literal("output"), data: z.string() }),
  z.object({ type: z.literal("exit"), code: z.number().int() }),
  z.looseObject({ type: z.literal("error"), error: z.string(), code: z.string(), timestamp: z.string() }),
]);
