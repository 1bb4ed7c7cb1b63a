import { createServer, type Server } from "node:http";
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import type { EgressConnection } from "../connection.ts";
import type { Listener } from "../listener.ts";
import type { Certificates } from "../ports.ts";
import { refusal } from "../refusal.ts";
import type { TakeVisible } from "../tunnel.ts";
import { watchTimes } from "../watch-times.ts";
import { passOn } from "./pass-on.ts";
import { passUpgrade } from "./upgrade.ts";
import { makeUpstream, type Upstream } from "./upstream.ts";

/** A connection whose requests are seen: plain HTTP, or TLS that is ended here. */
export interface Visible {
  readonly listener: Listener;
  readonly connection: EgressConnection;
  readonly secure: boolean;
  /** A connection to the server that stands already. */
  readonly spare: Socket | null;
}

/** One connection with its way to the server. */
export interface Seen extends Visible {
  readonly upstream: Upstream;
  /** Whether requests that follow may use the same socket to the server. */
  readonly keepAlive: boolean;
}

/** Reads requests out of connections that were taken over, and passes each on by itself: only what was understood goes out. */
export function makeVisibleServer(limits: { readonly maxHeaderSize: number }): TakeVisible {
  const visibles = new WeakMap<Socket, Seen>();
  const server = createServer({
    ...limits,
    headersTimeout: 20_000,
    requestTimeout: 0,
    keepAliveTimeout: 60_000,
    noDelay: true,
  });
  server.on("request", (req, res) => {
    req.on("error", () => {});
    res.on("error", () => {});
    const seen = visibles.get(req.socket);
    if (seen === undefined) res.destroy();
    else void passOn(seen, req, res);
  });
  server.on("upgrade", (req, socket: Socket, head: Buffer) => {
    socket.on("error", () => socket.destroy());
    const seen = visibles.get(req.socket);
    if (seen === undefined) socket.destroy();
    else void passUpgrade(seen, req, socket, head);
  });
  server.on("clientError", (_error, socket) => {
    if (socket.writable) socket.end("HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    else socket.destroy();
  });
  watchTimes(server);
  return (client, visible) => {
    visible.connection.found(visible.secure ? "https" : "http");
    if (visible.secure) void endTls(server, visibles, client, visible);
    else serve(server, visibles, client, visible);
  };
}

function serve(server: Server, visibles: WeakMap<Socket, Seen>, socket: Socket, visible: Visible): void {
  const upstream = makeUpstream(visible);
  socket.once("close", () => upstream.close());
  visibles.set(socket, { ...visible, upstream, keepAlive: true });
  server.emit("connection", socket);
  socket.resume();
}

async function endTls(
  server: Server,
  visibles: WeakMap<Socket, Seen>,
  client: Socket,
  visible: Visible,
): Promise<void> {
  const { listener, connection } = visible;
  const { certificates, logger } = listener.deps;
  if (certificates === undefined) {
    connection.cut(
      refusal(403, `TLS to ${connection.target.host} would have to be ended here, which this deployment cannot`),
    );
    return;
  }
  try {
    const secureContext = await contextFor(certificates, connection.target.host);
    const secure = new TLSSocket(client, { isServer: true, secureContext, ALPNProtocols: ["http/1.1"] });
    secure.on("error", () => client.destroy());
    client.once("close", () => secure.destroy());
    serve(server, visibles, secure, visible);
  } catch (error) {
    logger.error("TLS could not be ended", { host: connection.target.host, error });
    connection.cut("TLS could not be ended here");
  }
}

function contextFor(certificates: Certificates, host: string): ReturnType<Certificates["contextFor"]> {
  return certificates.contextFor(host);
}
