import type { IncomingMessage } from "node:http";
import { type Refusal, refusal } from "../refusal.ts";
import type { Seen } from "./visible.ts";

/**
 * Where a request inside of a connection says that it goes: to the host that the connection was asked for and judged by, and no other.
 * A large host serves many names from one address, and picks by this header.
 */
export function whereTo({ connection, secure }: Seen, req: IncomingMessage): URL | Refusal {
  const raw = req.url ?? "/";
  const scheme = secure ? "https" : "http";
  const { host, port } = connection.target;
  const named = (host.includes(":") ? `[${host}]` : host) + (port === (secure ? 443 : 80) ? "" : `:${port}`);
  const said = (req.headers.host ?? "").toLowerCase();
  const expected = new URL(`${scheme}://${named}`);
  if (!sameHost(said, expected, port))
    return refusal(403, `the request is for ${said || "no host"}, the connection was asked for ${named}`);
  if (raw.startsWith("/")) return new URL(`${scheme}://${expected.host}${raw}`);
  if (raw === "*") return expected;
  if (!URL.canParse(raw)) return refusal(400, "the address of the request cannot be read");
  const url = new URL(raw);
  return url.host === expected.host
    ? url
    : refusal(403, `the request is for ${url.host}, the connection was asked for ${named}`);
}

function sameHost(said: string, expected: URL, port: number): boolean {
  return said === expected.hostname || said === `${expected.hostname}:${port}`;
}
