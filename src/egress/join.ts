import type { Socket } from "node:net";
import type { EgressConnection } from "./connection.ts";
import type { Listener } from "./listener.ts";

/**
 * Ends both sides when either is gone or nothing moved for long; the connection ends with them. Pipes nothing.
 * @returns takes the two apart again
 */
export function join(listener: Listener, connection: EgressConnection, client: Socket, server: Socket): () => void {
  const idle = () => {
    connection.end("idle for too long");
    server.destroy();
  };
  const broken = () => client.destroy();
  const closed = () => {
    connection.end();
    // What the outside sent last is still on its way to the sandbox.
    if (client.writable) client.end();
    const timer = listener.deps.clock.after(10_000, () => client.destroy());
    client.once("close", () => timer.cancel());
  };
  const left = () => server.destroy();
  // Traffic of either direction passes the outer socket.
  server.setTimeout(listener.settings.idleMs, idle);
  server.on("error", broken).once("close", closed);
  client.once("close", left);
  return () => {
    server.setTimeout(0).off("timeout", idle).off("error", broken).off("close", closed);
    client.off("close", left);
  };
}
