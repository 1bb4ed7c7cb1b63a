import { type ClientRequest, type IncomingMessage, request, type ServerResponse } from "node:http";
import { pipeline } from "node:stream";
import { makeBodyWatch, PlaceholderInBody } from "../broker/body-watch.ts";
import { messageOf, type Refusal, refusal } from "../refusal.ts";
import { asItIs, hidden } from "./answer.ts";
import { type Prepared, prepare } from "./prepare.ts";
import type { Seen } from "./visible.ts";
import { whereTo } from "./where.ts";

/** Passes one request on and its answer back. @param given where it goes, when that is not for the connection to say */
export async function passOn(seen: Seen, req: IncomingMessage, res: ServerResponse, given?: URL): Promise<void> {
  const url = given ?? whereTo(seen, req);
  const prepared = url instanceof URL ? await prepare(seen, req, url) : url;
  if ("status" in prepared) {
    drop(seen, req, prepared);
    refuse(req, res, prepared);
    return;
  }
  if (res.closed || res.destroyed) return;
  seen.connection.request(req.method ?? "", prepared.secrets);
  const upstream = request({
    agent: seen.upstream.agent,
    host: seen.connection.target.host,
    port: seen.connection.target.port,
    method: req.method,
    path: prepared.target,
    headers: prepared.headers,
    setHost: false,
  });
  res.once("close", () => {
    if (!res.writableFinished) upstream.destroy();
  });
  upstream.on("error", () => {
    if (refused.has(res)) return;
    req.unpipe();
    if (res.headersSent) res.destroy();
    else refuse(req, res, refusal(502, "the server broke the connection, or could not be reached"));
  });
  upstream.once("response", (answer) => passBack(req, res, answer, prepared));
  send(seen, req, res, upstream, prepared);
}

function send(
  seen: Seen,
  req: IncomingMessage,
  res: ServerResponse,
  upstream: ClientRequest,
  { body }: Prepared,
): void {
  if (body !== null) {
    upstream.end(body);
    return;
  }
  if (seen.connection.identity.brokered.length === 0) {
    req.pipe(upstream);
    return;
  }
  const watch = makeBodyWatch();
  watch.on("error", (error) => {
    refused.add(res);
    req.unpipe();
    upstream.destroy();
    if (!(error instanceof PlaceholderInBody)) {
      res.destroy();
      return;
    }
    const why = refusal(403, error.message.replace(/\.$/, ""));
    drop(seen, req, why);
    if (res.headersSent) res.destroy();
    else refuse(req, res, why);
  });
  req.pipe(watch).pipe(upstream);
}

/** Answers of ours, given while a request was on its way. */
const refused = new WeakSet<ServerResponse>();

function passBack(req: IncomingMessage, res: ServerResponse, answer: IncomingMessage, { hider }: Prepared): void {
  if (res.headersSent || res.closed) {
    answer.destroy();
    return;
  }
  const { body, headers, reason } = hider === null ? asItIs(answer) : hidden(hider, req, answer);
  if (body === null) {
    answer.destroy();
    refuse(req, res, refusal(502, "the answer is in an encoding that cannot be searched for the secret"));
    return;
  }
  res.writeHead(answer.statusCode ?? 502, reason, headers);
  answer.once("end", () => {
    if (req.complete) return;
    req.unpipe();
    req.resume();
  });
  // An answer that is cut short must not look whole.
  pipeline([answer, ...body, res], (error) => {
    if (error) res.destroy();
  });
  setImmediate(() => {
    if (!res.writableEnded && !res.closed) res.flushHeaders();
  });
}

/** A connection that was for this request alone was refused with it. */
function drop({ connection, keepAlive }: Seen, req: IncomingMessage, refused: Refusal): void {
  if (keepAlive) connection.refuse(req.method ?? "", refused);
  else connection.end(refused);
}

export function refuse(req: IncomingMessage, res: ServerResponse, refused: Refusal): void {
  const body = `${messageOf(refused)}\n`;
  const headers = {
    "Content-Type": "text/plain; charset=utf-8",
    "Content-Length": Buffer.byteLength(body),
  };
  // Closing under a sender in the middle of its body would take the answer away from it.
  res.writeHead(refused.status, req.complete ? { ...headers, Connection: "close" } : headers);
  res.end(req.method === "HEAD" ? undefined : body);
  req.resume();
}
