import { createHash } from "node:crypto";
import { BulkheadError } from "#contracts/errors.ts";

export interface Payload {
  readonly service: string;
  readonly method: string;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Buffer | null;
}

const unsigned = "UNSIGNED-PAYLOAD";
const unsignedTrailer = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";
const hash = /^[0-9a-f]{64}$/;

/**
 * What the signature says of the body (`x-amz-content-sha256`). S3 takes it unhashed, the connection is TLS; it checks a hash that the
 * sandbox sent itself. The others want a hash of what they get.
 * @throws BulkheadError when the body carries signatures of its own, or is too long to be hashed here
 */
export function payloadHash({ service, method, headers, body }: Payload): string {
  const said = headers.get("x-amz-content-sha256");
  if (said?.startsWith("STREAMING-AWS4-") === true) throw chunkSigned();
  const type = headers.get("content-type") ?? "";
  if (service === "s3" && method === "POST" && /^\s*multipart\/form-data/i.test(type)) throw formUpload();
  if (service === "s3" && (said === unsigned || said === unsignedTrailer)) return said;
  if (body !== null) return createHash("sha256").update(body).digest("hex");
  if (said !== undefined && hash.test(said)) return said;
  if (isEmpty(headers)) return createHash("sha256").digest("hex");
  if (service === "s3") return unsigned;
  throw new BulkheadError(
    "PAYLOAD_TOO_LARGE",
    "The request's body is too long to be signed for AWS by the egress proxy.",
  );
}

function isEmpty(headers: ReadonlyMap<string, string>): boolean {
  const length = headers.get("content-length");
  return !headers.has("transfer-encoding") && (length === undefined || length === "0");
}

function chunkSigned(): BulkheadError {
  return new BulkheadError(
    "INVALID_REQUEST",
    "The body is signed chunk by chunk, which the egress proxy cannot sign again. Switch payload signing off in the client " +
      "(AWS_REQUEST_CHECKSUM_CALCULATION=when_required; boto3: s3={'payload_signing_enabled': False}; Java 1: " +
      "disableChunkedEncoding) and use https.",
  );
}

function formUpload(): BulkheadError {
  return new BulkheadError(
    "INVALID_REQUEST",
    "A form upload to S3 carries a signature of its own, which the egress proxy does not pass on. Use PutObject.",
  );
}
