import { request as httpRequest, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http";
import { connect, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { portHeader } from "#contracts/agent-constants.ts";
import { BulkheadError } from "#contracts/errors.ts";
import { join } from "./join.ts";
import type { AgentRequest } from "./router.ts";

function portOf(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port < 1 || port > 65535) {
    throw new BulkheadError("INVALID_REQUEST", "The port must be a number from 1 to 65535.");
  }
  return port;
}

function connectTo(host: string, port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, noDelay: true });
    socket.once("connect", () => {
      socket.off("error", reject);
      resolve(socket);
    });
    socket.once("error", reject);
  });
}

/** Development servers listen on either loopback address. */
async function connectToPort(port: number): Promise<Socket> {
  try {
    return await connectTo("127.0.0.1", port).catch(() => connectTo("::1", port));
  } catch (cause) {
    throw new BulkheadError("RESOURCE_NOT_FOUND", `Nothing listens on port ${port} yet. Start your server and retry.`, {
      details: { port },
      cause,
    });
  }
}

const hopByHop = new Set(["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", portHeader]);

/** One by one: writeHead would keep only the last of several cookies. */
function copyHeaders(raw: readonly string[], res: ServerResponse): void {
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const [name, value] = [raw[index], raw[index + 1]];
    if (name === undefined || value === undefined || hopByHop.has(name.toLowerCase())) continue;
    if (name.toLowerCase() === "x-request-id") res.removeHeader(name);
    res.appendHeader(name, value);
  }
}

function requestHeaders(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !hopByHop.has(name)));
}

/** Passes one HTTP request to a port of the sandbox's own loopback, streaming both ways. `onTraffic` is called as the answer flows. */
export async function proxyRequest(request: AgentRequest, portText: string, onTraffic: () => void): Promise<void> {
  const { req, res, signal } = request;
  const port = portOf(portText);
  const socket = await connectToPort(port);
  await new Promise<void>((resolve, reject) => {
    const upstream = httpRequest({
      createConnection: () => socket,
      method: req.method,
      path: req.url,
      headers: requestHeaders(req.headers),
      setHost: false,
    });
    upstream.on("response", (answer) => {
      copyHeaders(answer.rawHeaders, res);
      res.writeHead(answer.statusCode ?? 502);
      answer.on("data", onTraffic);
      answer.pipe(res);
      answer.on("error", reject);
      answer.on("end", resolve);
    });
    upstream.on("error", (cause) => {
      // 4xx: it is the caller's own server that failed, and clients resend on 5xx.
      reject(new BulkheadError("INVALID_REQUEST", `The server on port ${port} broke off the connection.`, { cause }));
    });
    signal.addEventListener("abort", () => {
      upstream.destroy();
      resolve();
    });
    req.pipe(upstream);
  });
}

/** Passes a WebSocket (or any other) upgrade through as bytes. `onTraffic` is called as bytes flow. */
export async function proxyUpgrade(
  req: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  portText: string,
  onTraffic: () => void,
): Promise<void> {
  const upstream = await connectToPort(portOf(portText));
  const lines = req.rawHeaders.flatMap((name, index) => {
    const value = req.rawHeaders[index + 1];
    return index % 2 === 0 && value !== undefined && name.toLowerCase() !== portHeader ? [`${name}: ${value}`] : [];
  });
  upstream.write(`${req.method ?? "GET"} ${req.url ?? "/"} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`);
  if (head.length > 0) upstream.write(head);
  socket.on("data", onTraffic);
  upstream.on("data", onTraffic);
  join(socket, upstream);
}
