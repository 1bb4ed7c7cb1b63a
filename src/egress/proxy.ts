import { createServer, type IncomingMessage, request, type Server, type ServerResponse, STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Logger } from "#telemetry/logger.ts";
import { type Admitted, admit, type Listener, type OpenLog } from "./admit.ts";
import { parseAuthority, parseDestination } from "./destination.ts";
import { forwardedHeaders, passedBack } from "./forward-headers.ts";
import type { EgressDeps, EgressIdentity } from "./ports.ts";
import { listenTcp, makeOrigins, type TcpEgress, type TcpOptions } from "./tcp.ts";

export interface EgressListener {
  /** Stops listening, ends every connection of the instance and removes the socket. */
  close(): Promise<void>;
}

export interface EgressProxy {
  /** Opens the way out of all instances of a network on one port: the address a connection comes from is its identity. */
  listenTcp(options: TcpOptions): Promise<TcpEgress>;
  /**
   * Opens the way out of one instance. The socket is its identity: what comes through it comes from that instance, whatever
   * it says. `identify` is asked for each connection; undefined while the instance belongs to no sandbox.
   */
  listen(socketPath: string, instanceId: string, identify: () => EgressIdentity | undefined): Promise<EgressListener>;
}

/** Whose connection it is. Rejects when that cannot be known. */
type FindListener = (socket: Socket) => Listener | Promise<Listener>;

/** The only way out: an HTTP forward proxy for CONNECT and absolute http:// requests. */
export function makeEgressProxy(deps: EgressDeps): EgressProxy {
  const settings = { deniedPorts: [25], maxConnections: 256, connectMs: 10_000, idleMs: 600_000, ...deps.options };
  // Beyond the limit of open destinations: connections that ask for nothing cost memory too.
  const maxSockets = settings.maxConnections * 2;
  const { clock, logger } = deps;
  return {
    listen(socketPath, instanceId, identify) {
      const listener = { deps, settings, instanceId, identify, openConnections: 0 };
      const wayOut = makeWayOut(logger, () => listener);
      wayOut.server.maxConnections = maxSockets;
      return listenOn(wayOut, socketPath, logger);
    },
    listenTcp(options) {
      const tcp = { clock, logger, maxPerAddress: maxSockets };
      const origins = makeOrigins(tcp, options, ({ instanceId, identity }) => {
        return { deps, settings, instanceId, identify: () => identity, openConnections: 0 };
      });
      return listenTcp(tcp, options, makeWayOut(logger, (socket) => origins.find(socket)).server, origins);
    },
  };
}

interface WayOut {
  readonly server: Server;
  readonly tunnels: ReadonlySet<Duplex>;
}

/** The proxy, wherever its connections come from. Not listening yet. */
function makeWayOut(logger: Logger, find: FindListener): WayOut {
  const tunnels = new Set<Duplex>();
  const serve = async (socket: Socket, work: (listener: Listener) => Promise<void>) => {
    try {
      await work(await find(socket));
    } catch (error) {
      // Who cannot be told apart gets nothing.
      if (!socket.destroyed) logger.error("egress request failed", { error });
      socket.destroy();
    }
  };
  const server = createServer(
    {
      maxHeaderSize: 32 * 1024,
      headersTimeout: 20_000,
      requestTimeout: 0,
      keepAliveTimeout: 30_000,
      insecureHTTPParser: false,
      noDelay: true,
      keepAlive: true,
    },
    (req, res) => {
      req.on("error", () => {});
      res.on("error", () => {});
      void serve(req.socket, (listener) => forward(listener, req, res));
    },
  );
  server.on("connect", (req: IncomingMessage, client: Duplex, head: Buffer) => {
    client.on("error", () => client.destroy());
    tunnels.add(client);
    client.once("close", () => tunnels.delete(client));
    void serve(req.socket, (listener) => tunnel(listener, req, client, head));
  });
  server.on("clientError", (_error, socket) => {
    if (socket.writable) socket.end("HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    else socket.destroy();
  });
  return { server, tunnels };
}

function listenOn({ server, tunnels }: WayOut, socketPath: string, logger: Logger): Promise<EgressListener> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(socketPath, () => {
      server.off("error", reject);
      server.on("error", (error) => logger.error("Egress listener failed", { error }));
      resolve({ close: () => close(server, tunnels) });
    });
  });
}

function close(server: Server, tunnels: ReadonlySet<Duplex>): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    for (const client of tunnels) client.destroy();
    server.closeAllConnections();
  });
}

async function tunnel(listener: Listener, req: IncomingMessage, client: Duplex, head: Buffer): Promise<void> {
  const admitted = await admit(listener, "CONNECT", parseAuthority(req.url ?? ""));
  if ("status" in admitted) {
    refuseTunnel(client, admitted);
    return;
  }
  const { socket, log } = admitted;
  if (client.destroyed) {
    socket.destroy();
    log("the sandbox hung up before the connection stood");
    return;
  }
  client.write("HTTP/1.1 200 Connection Established\r\n\r\n");
  if (head.length > 0) socket.write(head);
  client.pipe(socket);
  socket.pipe(client);
  endWithEachOther(listener, client, socket, log);
}

/** Ends both sides when either is gone or nothing moved for long; writes the log line once. */
function endWithEachOther(listener: Listener, client: Duplex, socket: Socket, log: OpenLog): void {
  // Traffic of either direction passes the outer socket.
  socket.setTimeout(listener.settings.idleMs, () => {
    log("idle for too long");
    socket.destroy();
  });
  socket.on("error", () => client.destroy());
  socket.once("close", () => {
    log();
    // What the outside sent last is still on its way to the sandbox.
    if (client.writable) client.end();
    const timer = listener.deps.clock.after(10_000, () => client.destroy());
    client.once("close", () => timer.cancel());
  });
  client.once("close", () => socket.destroy());
}

function refuseTunnel(client: Duplex, refusal: { readonly status: number; readonly message: string }): void {
  const body = `${refusal.message}\n`;
  client.resume();
  client.end(
    `HTTP/1.1 ${refusal.status} ${STATUS_CODES[refusal.status] ?? "Refused"}\r\nContent-Type: text/plain; charset=utf-8\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}

async function forward(listener: Listener, req: IncomingMessage, res: ServerResponse): Promise<void> {
  const url = parseUrl(req.url ?? "");
  const admitted = await admit(
    listener,
    "http",
    "problem" in url ? url : parseDestination(url.hostname, Number(url.port || 80)),
  );
  if ("status" in admitted || "problem" in url) {
    refuseForward(req, res, "status" in admitted ? admitted : { status: 400, message: "not a proxy request" });
    return;
  }
  passOn(listener, req, res, url, admitted);
}

/** WHATWG parsing, so every odd spelling of an IPv4 address is a plain one by the time it is judged. */
function parseUrl(text: string): URL | { readonly problem: string } {
  const notProxy = "this is a proxy; send CONNECT host:port, or a request with an absolute http:// address";
  if (!/^http:\/\//i.test(text)) return { problem: notProxy };
  return URL.canParse(text) ? new URL(text) : { problem: "the address cannot be read" };
}

function refuseForward(req: IncomingMessage, res: ServerResponse, refusal: { status: number; message: string }): void {
  const body = `${refusal.message}\n`;
  const headers = {
    "Content-Type": "text/plain; charset=utf-8",
    "Content-Length": Buffer.byteLength(body),
  };
  // Closing under a sender in the middle of its body would take the answer away from it.
  res.writeHead(refusal.status, req.complete ? { ...headers, Connection: "close" } : headers);
  res.end(req.method === "HEAD" ? undefined : body);
  req.resume();
}

type Open = Exclude<Admitted, { status: number }>;

function passOn(listener: Listener, req: IncomingMessage, res: ServerResponse, url: URL, admitted: Open): void {
  const { socket, log } = admitted;
  socket.once("close", () => log());
  if (res.closed) {
    socket.destroy();
    return;
  }
  socket.setTimeout(listener.settings.idleMs, () => {
    log("idle for too long");
    socket.destroy();
  });
  const upstream = request({
    createConnection: () => socket,
    method: req.method,
    path: url.pathname + url.search,
    headers: forwardedHeaders(req, url.host),
  });
  res.once("close", () => {
    upstream.destroy();
    socket.destroy();
  });
  upstream.on("error", () => {
    req.unpipe(upstream);
    if (res.headersSent) res.destroy();
    else refuseForward(req, res, { status: 502, message: "Bulkhead egress proxy: the server broke the connection." });
  });
  upstream.once("response", (answer) => {
    res.writeHead(answer.statusCode ?? 502, answer.statusMessage, passedBack(answer));
    answer.once("close", () => {
      if (!answer.complete) res.destroy();
    });
    answer.on("error", () => res.destroy());
    answer.once("end", () => {
      if (req.complete) return;
      req.unpipe(upstream);
      req.resume();
    });
    answer.pipe(res);
    setImmediate(() => {
      if (!res.writableEnded && !res.closed) res.flushHeaders();
    });
  });
  req.pipe(upstream);
}
