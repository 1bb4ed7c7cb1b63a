import { createHmac } from "node:crypto";

export interface SignedHeaders {
  /** The caller's. */
  readonly headers: Readonly<Record<string, string>>;
  /** Empty: not signed. */
  readonly secret: string;
  readonly executionId: string;
}

/** What the connection decides, not the caller. */
const ours = new Set([
  "host",
  "content-length",
  "connection",
  "transfer-encoding",
  "upgrade",
  "keep-alive",
  "te",
  "trailer",
  "expect",
]);

/** Over the body's bytes as they are sent. */
export function signatureOf(secret: string, body: string): string {
  return `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`;
}

/** Headers of one attempt. @param now epoch milliseconds */
export function headersOf(
  { headers, secret, executionId }: SignedHeaders,
  body: string,
  now: number,
): Record<string, string> {
  const given = Object.entries(headers).filter(
    ([name]) => !ours.has(name.toLowerCase()) && !name.toLowerCase().startsWith("proxy-"),
  );
  return {
    "User-Agent": "bulkhead-callback",
    ...Object.fromEntries(given),
    "Content-Type": "application/json",
    "Content-Length": String(Buffer.byteLength(body)),
    // Epoch seconds.
    "X-HOPX-Timestamp": String(Math.floor(now / 1000)),
    "X-HOPX-Execution-Id": executionId,
    ...(secret === "" ? {} : { "X-HOPX-Signature": signatureOf(secret, body) }),
  };
}
