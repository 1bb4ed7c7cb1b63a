import { createHmac } from "node:crypto";
import { type ClientRequest, request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { HttpsProxyAgent } from "https-proxy-agent";
import type { AgentClock } from "../clock.ts";

/** `refused`: no repeat helps. `later`: one may. `why` is safe to show. */
export type Outcome = { readonly kind: "taken" } | { readonly kind: "refused" | "later"; readonly why: string };

/** One attempt. Never rejects. */
export type Post = (body: string) => Promise<Outcome>;

export interface PostOptions {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  /** Empty: not signed. */
  readonly secret: string;
  readonly executionId: string;
  /** Loopback port of the sandbox's way out: the only one a callback takes, with the sandbox's own policy. */
  readonly egressPort: number;
  readonly clock: AgentClock;
}

const attemptMs = 10_000;

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
]);

/** Over the body's bytes as they are sent. */
export function signatureOf(secret: string, body: string): string {
  return `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`;
}

function headersOf({ headers, secret, executionId, clock }: PostOptions, body: string): Record<string, string> {
  const given = Object.entries(headers).filter(
    ([name]) => !ours.has(name.toLowerCase()) && !name.toLowerCase().startsWith("proxy-"),
  );
  return {
    "User-Agent": "bulkhead-callback",
    ...Object.fromEntries(given),
    "Content-Type": "application/json",
    "Content-Length": String(Buffer.byteLength(body)),
    // Epoch seconds.
    "X-HOPX-Timestamp": String(Math.floor(clock.now() / 1000)),
    "X-HOPX-Execution-Id": executionId,
    ...(secret === "" ? {} : { "X-HOPX-Signature": signatureOf(secret, body) }),
  };
}

/** An absolute path for plain HTTP, a tunnel for HTTPS: never a connection of our own. */
function open(options: PostOptions, headers: Record<string, string>): ClientRequest {
  const { url, egressPort } = options;
  if (url.protocol === "https:") {
    const agent = new HttpsProxyAgent(`http://127.0.0.1:${egressPort}`);
    return httpsRequest(url, { method: "POST", headers, agent });
  }
  const way = { host: "127.0.0.1", port: egressPort, method: "POST", agent: false } as const;
  return httpRequest({ ...way, path: url.href, headers: { Host: url.host, ...headers } });
}

/** A redirect is a refusal: it would lead where nobody asked to send this. */
function judge(status: number): Outcome {
  if (status >= 200 && status < 300) return { kind: "taken" };
  const why = `the receiver answered ${status}`;
  return { kind: status >= 500 || status === 408 || status === 429 ? "later" : "refused", why };
}

export function makePost(options: PostOptions): Post {
  return (body) =>
    new Promise((resolve) => {
      const sending = open(options, headersOf(options, body));
      const cancel = options.clock.after(attemptMs, () => end({ kind: "later", why: "no answer within 10 s" }));
      const end = (outcome: Outcome): void => {
        cancel();
        resolve(outcome);
        // The answer's body is of no interest, however long.
        sending.destroy();
      };
      sending.on("error", (error: NodeJS.ErrnoException) =>
        end({ kind: "later", why: `no connection (${error.code ?? "unknown cause"})` }),
      );
      sending.on("response", (answer: IncomingMessage) => end(judge(answer.statusCode ?? 0)));
      sending.end(body);
    });
}
