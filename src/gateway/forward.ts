import { type Agent, type ClientRequest, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { Endpoint } from "#core/model.ts";
import type { Clock } from "#core/ports.ts";
import { targetOf } from "./agent-connections.ts";
import {
  type Answering,
  type Forwarding,
  hasBody,
  requestHeaders,
  responseHeaders,
  withBodyFraming,
} from "./headers.ts";
import { dropRest } from "./refusal.ts";

/** What became of an attempt by the time the agent's answer began, or did not. */
export type Attempt =
  | { readonly outcome: "answered"; readonly status: number }
  /** The caller hung up. */
  | { readonly outcome: "abandoned" }
  /** No answer. `repeatable`: the agent cannot have acted on the request and nothing of the body was taken. */
  | { readonly outcome: "failed"; readonly repeatable: boolean; readonly error: Error };

export interface Exchange extends Forwarding, Answering {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  /** Sees the request's body as it goes by. */
  readonly watch?: ((chunk: Uint8Array) => void) | undefined;
}

const safe = new Set(["GET", "HEAD", "OPTIONS"]);

/** Passes one request on and, once the answer begins, streams it back. Resolves when the answer begins or cannot come. */
export function attempt(agent: Agent, endpoint: Endpoint, exchange: Exchange, clock: Clock): Promise<Attempt> {
  const { req, res } = exchange;
  return new Promise((resolve) => {
    const upstream = request({
      ...targetOf(endpoint),
      agent,
      method: req.method,
      path: exchange.route.path,
      headers: withBodyFraming(requestHeaders(req, exchange), req),
    });
    const withBody = hasBody(req);
    let sent = false;
    let answered = false;

    const onHangUp = () => {
      if (res.writableFinished) return;
      upstream.destroy();
      resolve({ outcome: "abandoned" });
    };
    res.once("close", onHangUp);
    onConnected(upstream, () => {
      sent = true;
      if (withBody) {
        if (exchange.watch !== undefined) req.on("data", exchange.watch);
        req.pipe(upstream);
      } else upstream.end();
    });
    upstream.on("error", (error) => {
      // Once the answer has begun its own end tells the story: an agent may answer before it has read the whole body.
      if (answered) return;
      res.off("close", onHangUp);
      req.unpipe(upstream);
      const repeatable = !sent || (!withBody && safe.has(req.method ?? ""));
      resolve({ outcome: "failed", repeatable, error });
    });
    upstream.once("response", (answer) => {
      answered = true;
      sendBack(answer, exchange);
      answer.once("end", () => {
        if (req.complete) return;
        // Answered before the body was read: nobody will read the rest, so its connection cannot be used again.
        upstream.destroy();
        dropRest(req, clock);
      });
      resolve({ outcome: "answered", status: answer.statusCode ?? 0 });
    });
  });
}

function onConnected(upstream: ClientRequest, ready: () => void): void {
  upstream.once("socket", (socket) => {
    if (socket.connecting) socket.once("connect", ready);
    else ready();
  });
}

function sendBack(answer: IncomingMessage, exchange: Exchange): void {
  const { res } = exchange;
  res.writeHead(answer.statusCode ?? 502, answer.statusMessage, responseHeaders(answer, exchange));
  // Headers travel with the first bytes of the body when these are there already, else alone.
  setImmediate(() => {
    if (!res.writableEnded && answer.readableFlowing === true && res.socket?.writable === true) res.flushHeaders();
  });
  answer.once("close", () => {
    if (!answer.complete) res.destroy();
  });
  answer.on("error", () => res.destroy());
  answer.pipe(res);
}
