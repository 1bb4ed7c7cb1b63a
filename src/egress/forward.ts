import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { admit } from "./admit.ts";
import type { EgressConnection } from "./connection.ts";
import { parseDestination } from "./destination.ts";
import type { Listener } from "./listener.ts";
import { refusal } from "./refusal.ts";
import { passOn, refuse } from "./visible/pass-on.ts";
import { makeUpstream } from "./visible/upstream.ts";

/** Answers a request with an absolute `http://` address: one request, one connection. */
export async function serveForward(listener: Listener, req: IncomingMessage, res: ServerResponse): Promise<void> {
  const url = parseUrl(req.url ?? "");
  const admitted = await admit(listener, {
    protocol: "http",
    parsed: "problem" in url ? url : parseDestination(url.hostname, Number(url.port || 80)),
    request: { method: req.method ?? "", path: "problem" in url ? "/" : url.pathname },
  });
  if ("refused" in admitted || "problem" in url) {
    refuse(req, res, "refused" in admitted ? admitted.refused : refusal(400, "not a proxy request"));
    return;
  }
  const { connection } = admitted;
  connection.onCut(() => req.socket.destroy());
  const server = await dialFor(connection, req, res);
  if (server === null) return;
  connection.found("http");
  server.once("close", () => connection.end());
  server.setTimeout(listener.settings.idleMs, () => {
    connection.end("idle for too long");
    server.destroy();
  });
  const visible = { listener, connection, secure: false, spare: server };
  const upstream = makeUpstream(visible);
  res.once("close", () => {
    upstream.close();
    server.destroy();
  });
  if (res.closed) {
    server.destroy();
    return;
  }
  await passOn({ ...visible, upstream, keepAlive: false }, req, res, url);
}

async function dialFor(
  connection: EgressConnection,
  req: IncomingMessage,
  res: ServerResponse,
): Promise<Socket | null> {
  const { host, port } = connection.target;
  try {
    return await connection.dial();
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "no answer in time";
    const refused = refusal(502, `${host}:${port} could not be connected to (${code})`);
    connection.end(refused.reason);
    refuse(req, res, refused);
    return null;
  }
}

/** WHATWG parsing, so every odd spelling of an IPv4 address is a plain one by the time it is judged. */
function parseUrl(text: string): URL | { readonly problem: string } {
  const notProxy = "this is a proxy; send CONNECT host:port, or a request with an absolute http:// address";
  if (!/^http:\/\//i.test(text)) return { problem: notProxy };
  return URL.canParse(text) ? new URL(text) : { problem: "the address cannot be read" };
}
