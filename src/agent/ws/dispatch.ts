import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { BulkheadError } from "#contracts/errors.ts";
import { type Hide, hideNothing } from "#contracts/hide-in.ts";
import type { Logger } from "#telemetry/logger.ts";
import type { AgentClock } from "../clock.ts";
import type { AgentSocket, SocketRoute } from "../socket.ts";
import { makeAccept } from "./accept.ts";
import { makeAgentSocket } from "./agent-socket.ts";
import type { OpenSockets } from "./open-sockets.ts";

export interface SocketDispatchOptions {
  readonly routes: readonly SocketRoute[];
  readonly openSockets: OpenSockets;
  readonly clock: AgentClock;
  readonly logger: Logger;
  /** Called for each frame either way. */
  readonly onActivity: () => void;
  /** Takes values of secrets out of error frames. @default - none are known */
  readonly hide?: Hide | undefined;
}

/** What a server hands over with an upgrade. */
export interface Upgrade {
  readonly req: IncomingMessage;
  readonly connection: Duplex;
  readonly head: Buffer;
  readonly id: string;
}

/** @throws BulkheadError, RESOURCE_NOT_FOUND without a route for the path: nothing has been written then */
export type SocketDispatch = (upgrade: Upgrade) => void;

/** Gives upgrades to the route of their path. One trailing slash is ignored. */
export function makeSocketDispatch(options: SocketDispatchOptions): SocketDispatch {
  const { openSockets, clock, logger, onActivity, hide = hideNothing } = options;
  const routes = new Map(options.routes.map((route) => [route.path, route]));
  const accept = makeAccept();
  return ({ req, connection, head, id }) => {
    const [path = "/", search = ""] = (req.url ?? "/").split("?", 2);
    const query = new URLSearchParams(search);
    const route = routes.get(path.length > 1 && path.endsWith("/") ? path.slice(0, -1) : path);
    if (route === undefined) throw new BulkheadError("RESOURCE_NOT_FOUND", `No WebSocket is served at ${path}.`);
    let opened: AgentSocket | undefined;
    const open = (): AgentSocket => {
      opened = makeAgentSocket({ ...accept(req, connection, head), connection, clock, id, onActivity, hide });
      openSockets.add(opened.closed);
      return opened;
    };
    try {
      route.open({ req, id, path, query, accept: open });
    } catch (error) {
      if (opened === undefined) throw error;
      logger.error("socket failed", { request_id: id, path, error });
      opened.close(1011);
    }
  };
}
