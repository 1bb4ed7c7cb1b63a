import { METHODS } from "node:http";
import { readClientHello } from "./client-hello.ts";

/** What a connection carries, by its client's first bytes. */
export type Sniffed =
  | { readonly kind: "more" }
  | { readonly kind: "malformed" }
  | { readonly kind: "tls"; readonly serverName: string | null; readonly hidden: boolean }
  | { readonly kind: "http" }
  | { readonly kind: "opaque" };

/** Longest first line of a request that is waited for; the server's own limit on headers is not longer. */
const longestLine = 32 * 1024;
const handshakeRecord = 22;
const requestLine = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,32} \S[^\r\n]* HTTP\/1\.[01]\r?$/;

export function sniff(bytes: Buffer): Sniffed {
  if (bytes.length === 0) return { kind: "more" };
  if (bytes[0] === handshakeRecord) {
    if (bytes.length > 1 && bytes[1] !== 3) return { kind: "opaque" };
    const hello = readClientHello(bytes);
    return hello.kind === "hello" ? { ...hello, kind: "tls" } : hello;
  }
  return sniffLine(bytes);
}

function sniffLine(bytes: Buffer): Sniffed {
  // Servers skip empty lines before a request.
  let at = 0;
  while (bytes[at] === 13 || bytes[at] === 10) at += 1;
  if (at === bytes.length) return at < 64 ? { kind: "more" } : { kind: "opaque" };
  const end = bytes.indexOf(10, at);
  const line = bytes.toString("latin1", at, end === -1 ? Math.min(bytes.length, at + longestLine) : end);
  if (end !== -1) return { kind: requestLine.test(line) ? "http" : "opaque" };
  return { kind: couldBeRequest(line) && line.length < longestLine ? "more" : "opaque" };
}

/** Other protocols do not wait for a line of theirs to end, so only what begins as a known method is waited for. */
function couldBeRequest(line: string): boolean {
  return METHODS.some((method) =>
    line.length > method.length ? line.startsWith(`${method} `) : method.startsWith(line),
  );
}
