import { createHash } from "node:crypto";
import { BulkheadError } from "#contracts/errors.ts";
import type { ControlContext } from "./request-state.ts";

export const maxBodyBytes = 1024 * 1024;

/**
 * The JSON body whatever its content type says; an empty one is `{}`: clients announce JSON and send nothing (contract rule 2).
 * @throws BulkheadError PAYLOAD_TOO_LARGE | INVALID_JSON
 */
export async function readJsonBody(request: ControlContext["req"]): Promise<unknown> {
  const bytes = await readBytes(request);
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return text.trim() === "" ? {} : JSON.parse(text);
  } catch {
    // The parser's message quotes the body, which may hold secrets.
    throw new BulkheadError("INVALID_JSON", "The body is not valid JSON in UTF-8.");
  }
}

/** A known length is checked before anything is read; an unknown one (chunked) while reading. */
async function readBytes(request: ControlContext["req"]): Promise<Uint8Array> {
  const announced = Number(request.header("content-length") ?? Number.NaN);
  if (announced > maxBodyBytes) throw tooLarge();
  if (announced >= 0) return new Uint8Array(await request.arrayBuffer());
  const stream: AsyncIterable<Uint8Array> | null = request.raw.body;
  if (stream === null) return new Uint8Array();
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of stream) {
    size += chunk.byteLength;
    if (size > maxBodyBytes) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function tooLarge(): BulkheadError {
  return new BulkheadError("PAYLOAD_TOO_LARGE", `The body is larger than ${maxBodyBytes} bytes; send less.`, {
    details: { limit_bytes: maxBodyBytes },
  });
}

/** SHA-256, hex, of a JSON value with sorted keys: equal for bodies that differ in white space and order only. Pass parsed bodies: it recurses. */
export function bodyHash(body: unknown): string {
  return createHash("sha256").update(canonicalJson(body)).digest("hex");
}

function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const members = Object.entries(value)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, member]) => `${JSON.stringify(name)}:${canonicalJson(member)}`);
  return `{${members.join(",")}}`;
}
