import type { Server } from "node:http";

/**
 * Node watches the times of an HTTP server's connections, and knows the idle ones, from the moment it listens. One that is handed its
 * connections never does.
 */
export function watchTimes(server: Server): void {
  server.emit("listening");
}
