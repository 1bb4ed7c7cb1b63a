import { type IncomingMessage, type ServerResponse, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { agentErrorBody } from "#contracts/error-body.ts";
import type { BulkheadError } from "#contracts/errors.ts";
import { toRfc3339 } from "#contracts/time.ts";
import type { Clock } from "#core/ports.ts";

/** How long a refused sender may go on sending before its connection is cut. */
const lingerMs = 2000;

function bodyOf(error: BulkheadError, requestId: string, clock: Clock): string {
  return JSON.stringify(agentErrorBody(error, { requestId, timestamp: toRfc3339(clock.now()) }));
}

/** Answers a request with a typed error. What is left of its body is read and dropped, for a short time. */
export function refuse(
  req: IncomingMessage,
  res: ServerResponse,
  error: BulkheadError,
  requestId: string,
  clock: Clock,
): void {
  const body = bodyOf(error, requestId, clock);
  res.writeHead(error.status, {
    "Content-Type": "application/json",
    "Content-Length": Buffer.byteLength(body),
    "X-Request-ID": requestId,
  });
  res.end(req.method === "HEAD" ? undefined : body);
  dropRest(req, clock);
}

/** Reads away a body nobody wants, so that the answer reaches its sender; cuts the connection if it does not end soon. */
export function dropRest(req: IncomingMessage, clock: Clock): void {
  if (req.complete) return;
  req.unpipe();
  req.resume();
  const timer = clock.after(lingerMs, () => {
    if (!req.complete) req.socket.destroy();
  });
  req.once("close", () => timer.cancel());
}

/** Answers a refused upgrade on its bare connection and ends it. */
export function refuseUpgrade(socket: Duplex, error: BulkheadError, requestId: string, clock: Clock): void {
  endWith(socket, error.status, bodyOf(error, requestId, clock), requestId, clock);
}

function endWith(socket: Duplex, status: number, body: string, requestId: string, clock: Clock): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? "Error"}\r\nContent-Type: application/json\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\nX-Request-ID: ${requestId}\r\n\r\n${body}`,
  );
  const timer = clock.after(lingerMs, () => socket.destroy());
  socket.resume();
  socket.once("close", () => timer.cancel());
}
