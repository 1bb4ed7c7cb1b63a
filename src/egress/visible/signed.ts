import type { IncomingMessage } from "node:http";
import { BulkheadError } from "#contracts/errors.ts";
import { placeholderInBytes } from "../broker/body-watch.ts";
import type { EgressIdentity } from "../ports.ts";
import { type Refusal, refusal } from "../refusal.ts";
import type { Prepared, Put } from "./prepare.ts";
import type { Seen } from "./visible.ts";

/** A body that says nothing of its hash is read to be hashed, up to here. */
const longestBody = 8 * 1024 * 1024;

/** Signs a request for AWS with the sandbox's own narrow session. */
export async function signed(
  { listener, connection }: Seen,
  { sandboxId, projectId, network }: EgressIdentity,
  req: IncomingMessage,
  put: Put,
): Promise<Prepared | Refusal> {
  const { signer, logger } = listener.deps;
  if (signer === undefined) return refusal(502, "requests cannot be signed here");
  const body = hashed(req) ? null : await readAll(req);
  if (body === "too long") return refusal(403, `a request that is signed here carries at most ${longestBody} bytes`);
  const placeholder = body === null ? null : placeholderInBytes(body);
  if (placeholder !== null) return refusal(403, "a placeholder of a secret stands in the body, where none may stand");
  try {
    const { target, headers } = put;
    const request = { method: req.method ?? "", host: connection.target.host, target, headers, body };
    const done = await signer.sign({ sandboxId, projectId }, network.aws, request);
    return { ...put, target: done.target, headers: done.headers.flat(), body };
  } catch (error) {
    const known = error instanceof BulkheadError;
    if (!known) logger.error("request not signed", { host: connection.target.host, error });
    return refusal(
      known && error.status < 500 ? 403 : 502,
      known ? error.message.replace(/\.$/, "") : "the request could not be signed",
    );
  }
}

/** S3's clients say the hash themselves, so that what is uploaded can be streamed. */
function hashed(req: IncomingMessage): boolean {
  return req.headers["x-amz-content-sha256"] !== undefined && Number(req.headers["content-length"] ?? Number.NaN) !== 0;
}

async function readAll(req: IncomingMessage): Promise<Buffer | "too long"> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of req) {
    const bytes = Buffer.from(chunk as Uint8Array);
    length += bytes.length;
    if (length > longestBody) return "too long";
    chunks.push(bytes);
  }
  return Buffer.concat(chunks);
}
