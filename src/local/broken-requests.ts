import { STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { brokenRequest } from "#contracts/broken-request.ts";
import { controlErrorBody } from "#contracts/error-body.ts";
import { makeRequestId } from "#contracts/ids.ts";
import { toRfc3339 } from "#contracts/time.ts";
import type { Clock } from "#core/ports.ts";

/** What Node's parser refused is answered as everything else: there is no request to answer, only a connection. */
export function answerBroken(clock: Clock): (error: NodeJS.ErrnoException, socket: Duplex) => void {
  return (error, socket) => {
    if (error.code === "ECONNRESET" || !socket.writable) {
      socket.destroy();
      return;
    }
    const refusal = brokenRequest(error.code);
    const requestId = makeRequestId(clock);
    const body = JSON.stringify(controlErrorBody(refusal, { requestId, timestamp: toRfc3339(clock.now()) }));
    socket.end(
      `HTTP/1.1 ${refusal.status} ${STATUS_CODES[refusal.status] ?? "Error"}\r\nContent-Type: application/json\r\n` +
        `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\nX-Request-ID: ${requestId}\r\n\r\n${body}`,
    );
  };
}
