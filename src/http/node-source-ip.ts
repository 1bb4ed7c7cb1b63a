import * as z from "zod";

const bindingsSchema = z.object({ incoming: z.object({ socket: z.object({ remoteAddress: z.string() }) }) });

/** {@link ControlConfig.sourceIp} for @hono/node-server: the peer of the connection, no forwarded header is believed. */
export function nodeSourceIp(bindings: unknown): string | null {
  const parsed = bindingsSchema.safeParse(bindings);
  return parsed.success ? parsed.data.incoming.socket.remoteAddress : null;
}
