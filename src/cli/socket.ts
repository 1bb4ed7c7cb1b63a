import type { IncomingMessage } from "node:http";
import { WebSocket } from "ws";
import { type Peer, refusal, unanswered, urlOf } from "./http.ts";

const handshakeMs = 60_000;
/** Bytes of a refusal that are read. */
const refusalBytes = 64 * 1024;

/** @throws CliError when the peer refuses or cannot be reached; the reason of `signal` when that was aborted */
export function openSocket(peer: Peer, path: string, signal?: AbortSignal): Promise<WebSocket> {
  const ws = new WebSocket(urlOf(peer, path).replace(/^http/, "ws"), {
    headers: { ...peer.headers },
    handshakeTimeout: handshakeMs,
    maxPayload: 256 * 1024 * 1024,
  });
  return new Promise((resolve, reject) => {
    const onAbort = (): void => ws.terminate();
    const settle = (settled: () => void): void => {
      signal?.removeEventListener("abort", onAbort);
      settled();
    };
    const fail = (error: Error): void => settle(() => reject(error));
    ws.once("open", () => settle(() => resolve(ws)));
    ws.once("unexpected-response", (request, response) => {
      void readRefusal(response).then((body) => {
        request.destroy();
        fail(refusal(response.statusCode ?? 0, body, `GET ${path}`));
      });
    });
    // Stays: what happens later is told by the close that follows it.
    ws.on("error", (cause) => {
      fail(
        signal?.aborted === true ? (signal.reason as Error) : unanswered(peer, /timed out/.test(cause.message), cause),
      );
    });
    if (signal?.aborted === true) onAbort();
    else signal?.addEventListener("abort", onAbort, { once: true });
  });
}

async function readRefusal(response: IncomingMessage): Promise<string> {
  let text = "";
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      text += chunk.toString();
      if (text.length > refusalBytes) break;
    }
  } catch {
    // Cut off: the status says enough.
  }
  return text;
}

const beatMs = 20_000;

/** Ends a connection over which nothing comes any more. A paused one is left alone: it does not read our pongs. */
export function watchOver(ws: WebSocket): void {
  let heard = true;
  ws.on("pong", () => (heard = true));
  ws.on("message", () => (heard = true));
  const timer = setInterval(() => {
    if (ws.isPaused) return;
    if (!heard) {
      ws.terminate();
      return;
    }
    heard = false;
    ws.ping();
  }, beatMs);
  ws.once("close", () => clearInterval(timer));
}
