import type { IncomingMessage } from "node:http";

/**
 * The caller's address. Each trusted hop in front appends the one it was called from to `X-Forwarded-For`, so with `hops` of them the
 * caller's is that many from the end; what stands before it callers write themselves.
 */
export function sourceAddress(req: IncomingMessage, hops: number): string | null {
  const peer = req.socket.remoteAddress ?? null;
  if (hops === 0) return plain(peer);
  const header = req.headers["x-forwarded-for"];
  const addresses = (Array.isArray(header) ? header.join(",") : (header ?? "")).split(",").map((part) => part.trim());
  const found = addresses.at(-hops);
  return plain(found === undefined || found === "" ? peer : found.slice(0, 64));
}

/** An IPv4 caller of a socket that serves both. */
function plain(address: string | null): string | null {
  return address?.replace(/^::ffff:(?=\d+\.)/i, "") ?? null;
}
