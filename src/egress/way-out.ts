import { createServer as createHttpServer, type Server as HttpServer, type IncomingMessage } from "node:http";
import { createServer, type Server, type Socket } from "node:net";
import type { Logger } from "#telemetry/logger.ts";
import { serveConnect } from "./connect.ts";
import { serveForward } from "./forward.ts";
import type { Listener } from "./listener.ts";
import { serveSocks } from "./socks.ts";
import { makeVisibleServer } from "./visible/visible.ts";
import { watchTimes } from "./watch-times.ts";

/** Whose connection it is. Rejects when that cannot be known. */
export type FindListener = (socket: Socket) => Listener | Promise<Listener>;

/** Reads what a connection begins with, before the proxy's own languages. null: it has gone or is not welcome. */
export type Greet = (socket: Socket) => Promise<boolean>;

/** The proxy, wherever its connections come from. Not listening yet. */
export interface WayOut {
  readonly server: Server;
  /** Ends connections on which no request is under way. */
  readonly closeIdle: () => void;
  /** Ends all. */
  readonly endAll: () => void;
}

const maxHeaderSize = 32 * 1024;
/** For the first byte, and for the headers. */
const longestWaitMs = 20_000;
const socksVersion = 5;

export function makeWayOut(logger: Logger, find: FindListener, greet?: Greet): WayOut {
  const sockets = new Set<Socket>();
  const takeVisible = makeVisibleServer({ maxHeaderSize });
  const serve = async (socket: Socket, work: (listener: Listener) => Promise<void>) => {
    try {
      await work(await find(socket));
    } catch (error) {
      // Who cannot be told apart gets nothing.
      if (!socket.destroyed) logger.error("egress request failed", { error });
      socket.destroy();
    }
  };
  const http = makeHttp();
  http.on("request", (req, res) => {
    req.on("error", () => {});
    res.on("error", () => {});
    void serve(req.socket, (listener) => serveForward(listener, req, res));
  });
  http.on("connect", (req: IncomingMessage, _socket, head: Buffer) => {
    req.socket.on("error", () => req.socket.destroy());
    void serve(req.socket, (listener) => serveConnect(listener, req, head, takeVisible));
  });
  const server = createServer(
    { allowHalfOpen: true, noDelay: true, keepAlive: true, pauseOnConnect: true },
    (socket) => {
      sockets.add(socket);
      socket.once("close", () => sockets.delete(socket));
      socket.on("error", () => socket.destroy());
      void begin(socket);
    },
  );

  async function begin(socket: Socket): Promise<void> {
    if (greet !== undefined && !(await greet(socket))) {
      socket.destroy();
      return;
    }
    const first = await firstByte(socket);
    if (first === null) return;
    if (first === socksVersion) void serve(socket, () => serveSocks(() => find(socket), socket, takeVisible));
    else http.emit("connection", socket);
  }

  return {
    server,
    closeIdle: () => http.closeIdleConnections(),
    endAll: () => {
      for (const socket of sockets) socket.destroy();
    },
  };
}

function makeHttp(): HttpServer {
  const http = createHttpServer({
    maxHeaderSize,
    headersTimeout: longestWaitMs,
    requestTimeout: 0,
    keepAliveTimeout: 30_000,
    insecureHTTPParser: false,
    noDelay: true,
  });
  http.on("clientError", (_error, socket) => {
    if (socket.writable) socket.end("HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    else socket.destroy();
  });
  watchTimes(http);
  return http;
}

/** Looks at the first byte and leaves it there. null when there is none in time. */
function firstByte(socket: Socket): Promise<number | null> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => socket.destroy(), longestWaitMs);
    const settle = (byte: number | null) => {
      clearTimeout(timer);
      socket.off("readable", look).off("close", gone);
      resolve(byte);
    };
    const gone = () => settle(null);
    const look = () => {
      const chunk: unknown = socket.read();
      if (Buffer.isBuffer(chunk) && chunk.length > 0) {
        settle(chunk[0] ?? null);
        socket.unshift(chunk);
      } else if (socket.readableEnded) socket.destroy();
    };
    socket.on("readable", look).once("close", gone);
  });
}
