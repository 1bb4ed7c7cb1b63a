import type { IncomingMessage, ServerResponse } from "node:http";
import { BulkheadError } from "#contracts/errors.ts";
import { type Hide, hideNothing } from "#contracts/hide-in.ts";
import type { AgentRequest } from "./router.ts";

/** Bytes of a JSON body. Uploads are not JSON and have no such limit. */
export const maxJsonBytes = 8 * 1024 * 1024;

function tooLarge(): BulkheadError {
  return new BulkheadError(
    "PAYLOAD_TOO_LARGE",
    `The request body is larger than ${maxJsonBytes} bytes. Send large content through POST /files/upload.`,
  );
}

function read(req: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    req.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      // What follows is read and dropped, so that the caller gets to read the answer.
      if (bytes > maxJsonBytes) reject(tooLarge());
      else chunks.push(chunk);
    });
    req.on("end", () => resolve(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks)));
    req.on("error", (cause) => reject(new BulkheadError("INVALID_REQUEST", "The request body broke off.", { cause })));
    req.on("close", () => reject(new BulkheadError("INVALID_REQUEST", "The request body broke off.")));
  });
}

async function readJson(req: IncomingMessage): Promise<unknown> {
  if (Number(req.headers["content-length"] ?? 0) > maxJsonBytes) throw tooLarge();
  const text = (await read(req)).toString("utf8");
  if (text.trim() === "") return {};
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new BulkheadError("INVALID_JSON", "The request body is not valid JSON.", { cause });
  }
}

export function sendJson(res: ServerResponse, status: number, body: unknown): void {
  const bytes = Buffer.from(JSON.stringify(body));
  res.writeHead(status, { "content-type": "application/json", "content-length": bytes.length });
  res.end(bytes);
}

export function makeAgentRequest(
  req: IncomingMessage,
  res: ServerResponse,
  id: string,
  hide: Hide = hideNothing,
): AgentRequest {
  const url = req.url ?? "/";
  const mark = url.indexOf("?");
  const controller = new AbortController();
  res.on("close", () => {
    if (!res.writableFinished) controller.abort();
  });
  return {
    req,
    res,
    id,
    path: mark < 0 ? url : url.slice(0, mark),
    query: new URLSearchParams(mark < 0 ? "" : url.slice(mark + 1)),
    signal: controller.signal,
    hide,
    json: () => readJson(req),
    send: (status, body) => sendJson(res, status, body),
  };
}
