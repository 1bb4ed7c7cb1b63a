import { BulkheadError } from "#contracts/errors.ts";
import type { Route } from "../router.ts";
import type { SocketRoute } from "../socket.ts";

/** Tells those who send plain requests to a socket's path what it takes. */
export function upgradeOnlyRoutes(sockets: readonly SocketRoute[]): Route[] {
  return sockets.map(({ path }) => ({
    method: "ANY",
    path,
    handle() {
      throw new BulkheadError("INVALID_REQUEST", `${path} takes WebSocket upgrades only.`);
    },
  }));
}
