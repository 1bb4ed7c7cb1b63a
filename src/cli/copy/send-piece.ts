import { randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { pipeline } from "node:stream/promises";
import type { Agent } from "../agent.ts";
import { CliError, exitCodes } from "../failure.ts";
import { refusal, unanswered, urlOf } from "../http.ts";

export interface Upload {
  readonly local: string;
  /** Absolute path in the sandbox. */
  readonly remote: string;
  readonly size: number;
  readonly signal: AbortSignal;
  onBytes(count: number): void;
}

const idleMs = 120_000;

async function* form(upload: Upload, path: string, from: number, to: number, boundary: string) {
  yield Buffer.from(head(path, boundary));
  let left = to - from;
  if (left > 0) {
    const source = createReadStream(upload.local, { start: from, end: to - 1, highWaterMark: 2 ** 18 });
    for await (const chunk of source as AsyncIterable<Buffer>) {
      left -= chunk.length;
      yield chunk;
      upload.onBytes(chunk.length);
    }
  }
  if (left !== 0) throw new CliError(`${upload.local} became shorter while it was read. Try again.`);
  yield Buffer.from(tail(boundary));
}

function head(path: string, boundary: string): string {
  const part = `--${boundary}\r\nContent-Disposition: form-data; name=`;
  return `${part}"path"\r\n\r\n${path}\r\n${part}"file"; filename="file"\r\nContent-Type: application/octet-stream\r\n\r\n`;
}

const tail = (boundary: string): string => `\r\n--${boundary}--\r\n`;

/** Uploads the bytes `from` up to and without `to` as a file of their own, `path`. */
export async function sendPiece(agent: Agent, upload: Upload, path: string, from: number, to: number): Promise<void> {
  const { peer } = agent;
  const boundary = `bulkhead-${randomBytes(16).toString("hex")}`;
  const url = urlOf(peer, "/files/upload");
  const length = Buffer.byteLength(head(path, boundary)) + (to - from) + tail(boundary).length;
  const req = (url.startsWith("https:") ? httpsRequest : httpRequest)(url, {
    method: "POST",
    headers: {
      ...peer.headers,
      "content-type": `multipart/form-data; boundary=${boundary}`,
      "content-length": length,
    },
    signal: upload.signal,
  });
  req.setTimeout(idleMs, () => req.destroy(new CliError(`${peer.baseUrl} did not answer in time.`, exitCodes.timeout)));
  const answered = new Promise<IncomingMessage>((resolve, reject) =>
    req.once("response", resolve).once("error", reject),
  );
  const sent = pipeline(form(upload, path, from, to, boundary), req);
  try {
    // A refusal may come before all is sent.
    const response = await Promise.race([answered, sent.then(() => answered)]);
    let text = "";
    for await (const chunk of response as AsyncIterable<Buffer>) text += chunk.toString();
    const { statusCode = 0 } = response;
    if (statusCode >= 300) throw refusal(statusCode, text, "POST /files/upload");
    await sent;
  } catch (error) {
    upload.signal.throwIfAborted();
    throw error instanceof CliError || !isConnectionFailure(error) ? error : unanswered(peer, false, error);
  } finally {
    sent.catch(() => undefined);
    answered.catch(() => undefined);
    req.destroy();
  }
}

/** Those of files have a path. */
function isConnectionFailure(error: unknown): boolean {
  return error instanceof Error && "code" in error && !("path" in error);
}
