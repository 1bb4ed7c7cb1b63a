import { readFile } from "node:fs/promises";
import { type Agent, type ClientRequest, request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest, type RequestOptions } from "node:https";
import type { AgentClock } from "../clock.ts";
import { headersOf, type SignedHeaders } from "./headers.ts";

/** `refused`: no repeat helps. `later`: one may. `why` is safe to show. */
export type Outcome = { readonly kind: "taken" } | { readonly kind: "refused" | "later"; readonly why: string };

/** One attempt. Failures of any kind are outcomes. */
export type Post = (body: string) => Promise<Outcome>;

export interface PostOptions extends SignedHeaders {
  readonly url: URL;
  /** Loopback port of the sandbox's way out: the only one a callback takes, with the sandbox's own policy. */
  readonly egressPort: number;
  /** File of the authorities that receivers are checked by. @default - Node's own */
  readonly trusted?: string | undefined;
  readonly clock: AgentClock;
}

const attemptMs = 10_000;
/** Of an answer so much is read and dropped, so that the receiver is not cut off in the middle of a usual one. */
const answerBytes = 64 * 1024;
/** How the egress proxy's own refusals begin. */
const refusalMark = "Bulkhead egress proxy: ";

/** Loaded by its first use: it takes 5 ms, which each start of an agent would pay. */
async function tunnelAgent(egressPort: number): Promise<Agent> {
  const { HttpsProxyAgent } = await import("https-proxy-agent");
  return new HttpsProxyAgent(`http://127.0.0.1:${egressPort}`);
}

/** What HTTPS needs: the way, and what checks who is at its end, which may be the proxy itself. */
type Secure = Pick<RequestOptions, "agent" | "ca">;

/** An absolute path for plain HTTP, a tunnel for HTTPS: never a connection of our own. */
function open({ url, egressPort }: PostOptions, headers: Record<string, string>, secure?: Secure): ClientRequest {
  if (secure !== undefined) return httpsRequest(url, { method: "POST", headers, ...secure });
  const way = { host: "127.0.0.1", port: egressPort, method: "POST", agent: false } as const;
  return httpRequest({ ...way, path: url.href, headers: { Host: url.host, ...headers } });
}

/** A redirect is a refusal: it would lead where nobody asked to send this. */
function judge(status: number, start: string): Outcome {
  if (status >= 200 && status < 300) return { kind: "taken" };
  const who = start.startsWith(refusalMark) ? "the sandbox's way out" : "the receiver";
  const kind = status >= 500 || status === 408 || status === 429 ? "later" : "refused";
  return { kind, why: `${who} answered ${status}` };
}

/** Ends with the answer, with its limit, or with its connection; `onStart` gets its first bytes. */
function readAnswer(answer: IncomingMessage, onStart: (start: string) => void, onEnd: () => void): void {
  let bytes = 0;
  answer.on("data", (chunk: Buffer) => {
    if (bytes === 0) onStart(chunk.toString("latin1", 0, refusalMark.length));
    bytes += chunk.length;
    if (bytes > answerBytes) onEnd();
  });
  answer.on("error", onEnd);
  answer.on("close", onEnd);
}

/** Sends, and waits for how it comes out. */
function send(options: PostOptions, body: string, secure?: Secure): Promise<Outcome> {
  return new Promise((resolve) => {
    const sending = open(options, headersOf(options, body, options.clock.now()), secure);
    let outcome: Outcome = { kind: "later", why: "no answer within 10 s" };
    let answered = false;
    const end = (): void => {
      cancel();
      resolve(outcome);
      sending.destroy();
    };
    const cancel = options.clock.after(attemptMs, end);
    sending.on("error", (error: NodeJS.ErrnoException) => {
      if (!answered) outcome = { kind: "later", why: `no connection (${error.code ?? "unknown cause"})` };
      end();
    });
    sending.on("response", (answer: IncomingMessage) => {
      answered = true;
      const status = answer.statusCode ?? 0;
      outcome = judge(status, "");
      readAnswer(answer, (start) => (outcome = judge(status, start)), end);
    });
    sending.end(body);
  });
}

export function makePost(options: PostOptions): Post {
  return async (body) => {
    if (options.url.protocol !== "https:") return send(options, body);
    const { egressPort, trusted } = options;
    const ca = trusted === undefined ? {} : { ca: await readFile(trusted) };
    return send(options, body, { agent: await tunnelAgent(egressPort), ...ca });
  };
}
