import type { IncomingMessage } from "node:http";

const hopByHop = new Set(["connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "expect"]);

/** What a plain request carries on: no hop-by-hop and no `Proxy-*` headers, and the host that was checked, not the one it claims. */
export function forwardedHeaders(req: IncomingMessage, host: string, keepAlive: boolean): string[] {
  const out = ["Host", host, ...endToEnd(req, (lower) => lower !== "host")];
  if (req.headers["transfer-encoding"] !== undefined) out.push("Transfer-Encoding", "chunked");
  else if (req.headers["content-length"] === undefined && bodied.has(req.method ?? "")) out.push("Content-Length", "0");
  out.push("Connection", keepAlive ? "keep-alive" : "close");
  return out;
}

const bodied = new Set(["POST", "PUT", "PATCH"]);

export function passedBack(answer: IncomingMessage): string[] {
  return endToEnd(answer, () => true);
}

function endToEnd(message: IncomingMessage, keep: (lower: string) => boolean): string[] {
  const named = new Set(
    (message.headers.connection ?? "")
      .toLowerCase()
      .split(",")
      .map((name) => name.trim()),
  );
  // The body's length belongs to the message, whatever the sender calls it.
  named.delete("content-length");
  const out: string[] = [];
  for (let index = 0; index + 1 < message.rawHeaders.length; index += 2) {
    const name = message.rawHeaders[index] ?? "";
    const lower = name.toLowerCase();
    if (hopByHop.has(lower) || named.has(lower) || lower.startsWith("proxy-") || !keep(lower)) continue;
    out.push(name, message.rawHeaders[index + 1] ?? "");
  }
  return out;
}
