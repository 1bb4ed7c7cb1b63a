import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { type WebSocket, WebSocketServer } from "ws";
import { makeControlPlane } from "#cli/control-plane.ts";
import { created, sandbox } from "./support.ts";

type Handler = (req: IncomingMessage, res: ServerResponse, body: Buffer) => void;

/** What the agent does when a caller has sent its first frame on a path. */
type OnFrame = (ws: WebSocket, frame: Record<string, unknown>) => void;

export interface FakePlatform {
  readonly url: string;
  readonly requests: string[];
  /** By `METHOD /path`; wins over what the fake answers by itself. */
  readonly handlers: Map<string, Handler>;
  readonly sockets: Map<string, OnFrame>;
  connect(): ReturnType<typeof makeControlPlane>;
  stop(): Promise<void>;
}

export function answer(res: ServerResponse, status: number, body: unknown): void {
  res.writeHead(status, { "content-type": "application/json" });
  res.end(JSON.stringify(body));
}

/** A control plane with one sandbox, `s9`, and its agent under `/s/s9`, behind real HTTP and WebSockets. */
export async function startFakePlatform(): Promise<FakePlatform> {
  const requests: string[] = [];
  const handlers = new Map<string, Handler>();
  const sockets = new Map<string, OnFrame>();
  const upgrader = new WebSocketServer({ noServer: true });
  const server = createServer((req, res) => {
    const chunks: Buffer[] = [];
    req.on("data", (chunk: Buffer) => chunks.push(chunk));
    req.on("end", () => respond(req, res, Buffer.concat(chunks)));
    req.on("error", () => undefined);
  });
  const respond = (req: IncomingMessage, res: ServerResponse, body: Buffer): void => {
    const { pathname } = new URL(req.url ?? "", "http://x");
    const name = `${req.method ?? ""} ${pathname}`;
    requests.push(name);
    const handler = handlers.get(name);
    const own = { public_host: `${url}/s/s9` };
    if (handler !== undefined) handler(req, res, body);
    else if (name === "GET /v1/sandboxes/s9") answer(res, 200, sandbox("s9", own));
    else if (name === "POST /v1/sandboxes") answer(res, 201, created("s9", own));
    else if (name === "DELETE /v1/sandboxes/s9") answer(res, 200, {});
    else if (name === "POST /v1/sandboxes/s9/token/refresh") {
      answer(res, 200, { auth_token: "the-token", token_expires_at: "2026-11-23T12:00:00.000Z" });
    } else answer(res, 404, { code: "RESOURCE_NOT_FOUND", message: `no ${name}` });
  };
  server.on("upgrade", (req, socket, head) => {
    const { pathname } = new URL(req.url ?? "", "http://x");
    const onFrame = sockets.get(pathname.replace("/s/s9", ""));
    if (onFrame === undefined || req.headers.authorization !== "Bearer the-token") {
      const body = JSON.stringify({
        error: "Sandbox s9 is paused.",
        message: "Sandbox s9 is paused.",
        code: "SANDBOX_STOPPED",
      });
      socket.end(`HTTP/1.1 409 Conflict\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`);
      return;
    }
    upgrader.handleUpgrade(req, socket, head, (ws) => {
      ws.once("message", (data: Buffer) => onFrame(ws, JSON.parse(data.toString()) as Record<string, unknown>));
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const url = `http://127.0.0.1:${address.port}`;
  return {
    url,
    requests,
    handlers,
    sockets,
    connect: () => makeControlPlane(url, "key"),
    async stop() {
      for (const ws of upgrader.clients) ws.terminate();
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
