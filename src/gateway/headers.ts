import type { IncomingMessage } from "node:http";
import { portHeader } from "#contracts/agent-control.ts";
import { withoutCookieToken } from "./credentials.ts";
import type { Route } from "./route.ts";

/** Headers that concern one connection only (RFC 9110 §7.6.1). */
const hopByHop = new Set([
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** Credentials end here: neither the agent nor the user's server behind it needs them. */
const credentials = new Set(["authorization", "x-api-key"]);

export interface Forwarding {
  readonly route: Route;
  readonly requestId: string;
  readonly trustForwarded: boolean;
  /** Takes the place of what hops say of protocol and port. */
  readonly callersSpeak: "https" | undefined;
}

/** Flat name, value list of what the agent gets. Order and doubles are kept. */
export function requestHeaders(req: IncomingMessage, forwarding: Forwarding): string[] {
  const out: string[] = [];
  const ownHops = connectionOptions(req.headers.connection);
  eachHeader(req.rawHeaders, (name, lower, value) => {
    if (hopByHop.has(lower) || credentials.has(lower) || ownHops.has(lower) || lower === "expect") return;
    if (lower.startsWith("x-bulkhead-") || lower === "x-request-id") return;
    if (forwarding.callersSpeak !== undefined && spoken.has(lower)) return;
    if (!forwarding.trustForwarded && (lower.startsWith("x-forwarded-") || lower === "forwarded")) return;
    const kept = lower === "cookie" ? withoutCookieToken(value) : value;
    if (kept !== undefined) out.push(name, kept);
  });
  out.push("X-Request-ID", forwarding.requestId);
  if (forwarding.route.kind === "preview") out.push(...previewHeaders(req, forwarding.route, forwarding));
  return out;
}

const spoken = new Set(["x-forwarded-proto", "x-forwarded-port"]);

function previewHeaders(req: IncomingMessage, route: Route & { kind: "preview" }, forwarding: Forwarding): string[] {
  const { trustForwarded, callersSpeak } = forwarding;
  const out = [portHeader, String(route.port)];
  if (route.prefix !== "") out.push("X-Forwarded-Prefix", route.prefix);
  if (callersSpeak !== undefined) out.push("X-Forwarded-Proto", callersSpeak, "X-Forwarded-Port", "443");
  if (trustForwarded) return out;
  out.push("X-Forwarded-For", req.socket.remoteAddress ?? "unknown");
  if (callersSpeak === undefined) out.push("X-Forwarded-Proto", "http");
  if (req.headers.host !== undefined) out.push("X-Forwarded-Host", req.headers.host);
  return out;
}

/** Adds how the body is delimited, which is decided anew for each connection. */
export function withBodyFraming(headers: string[], req: IncomingMessage): string[] {
  if (req.headers["transfer-encoding"] !== undefined) headers.push("Transfer-Encoding", "chunked");
  else if (req.headers["content-length"] === undefined && !bodyless.has(req.method ?? "")) {
    headers.push("Content-Length", "0");
  }
  return headers;
}

const bodyless = new Set(["GET", "HEAD", "OPTIONS", "DELETE", "TRACE"]);

export function hasBody(req: IncomingMessage): boolean {
  const length = req.headers["content-length"];
  return req.headers["transfer-encoding"] !== undefined || (length !== undefined && length !== "0");
}

export interface Answering {
  readonly route: Route;
  readonly requestId: string;
  /** Set-Cookie to add, or null. */
  readonly cookie: string | null;
  /** When the sandbox ends, RFC 3339, where that is near; else null. */
  readonly endsAt: string | null;
}

/** Flat name, value list of what the caller gets of an agent's answer. */
export function responseHeaders(upstream: IncomingMessage, answering: Answering): string[] {
  const out: string[] = [];
  const ownHops = connectionOptions(upstream.headers.connection);
  const preview = answering.route.kind === "preview" ? answering.route : null;
  eachHeader(upstream.rawHeaders, (name, lower, value) => {
    if (hopByHop.has(lower) || ownHops.has(lower) || lower === "x-request-id") return;
    if (preview === null || preview.prefix === "") out.push(name, value);
    // Previews by path share one origin: none of them may speak for the others.
    else if (lower === "location") out.push(name, prefixed(value, preview.prefix));
    else if (lower !== "service-worker-allowed" && lower !== "clear-site-data") out.push(name, value);
  });
  out.push("X-Request-ID", answering.requestId);
  if (answering.endsAt !== null) out.push("X-Sandbox-Expires-At", answering.endsAt);
  if (answering.cookie !== null) out.push("Set-Cookie", answering.cookie, "Referrer-Policy", "no-referrer");
  return out;
}

/** A user's server knows nothing of the prefix, so its redirects to a path would lead out of the preview. */
function prefixed(location: string, prefix: string): string {
  const isPath = location.startsWith("/") && !location.startsWith("//");
  const has = location === prefix || location.startsWith(`${prefix}/`);
  return isPath && !has ? prefix + location : location;
}

const none: ReadonlySet<string> = new Set();

/** Names that a Connection header declares hop-by-hop. */
function connectionOptions(connection: string | undefined): ReadonlySet<string> {
  if (connection === undefined || connection === "keep-alive" || connection === "close") return none;
  const names = new Set(
    connection
      .toLowerCase()
      .split(",")
      .map((name) => name.trim()),
  );
  // A sender that calls its body's length hop-by-hop wants two readers to see two different ends.
  names.delete("content-length");
  names.delete("host");
  return names;
}

function eachHeader(raw: readonly string[], visit: (name: string, lower: string, value: string) => void): void {
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = raw[index] ?? "";
    visit(name, name.toLowerCase(), raw[index + 1] ?? "");
  }
}
