import { BulkheadError } from "#contracts/errors.ts";

/** A request's target, taken apart for signing. */
export interface Target {
  /** As sent. */
  readonly path: string;
  readonly query: Readonly<Record<string, string[]>>;
  /** Path and query as they are to be sent: what is signed and what the far end reads are the same bytes. */
  readonly text: string;
}

const signatureParameters: ReadonlySet<string> = new Set([
  "x-amz-algorithm",
  "x-amz-credential",
  "x-amz-date",
  "x-amz-expires",
  "x-amz-security-token",
  "x-amz-signature",
  "x-amz-signedheaders",
  "x-amz-s3session-token",
]);
/** Of the signatures before version 4. */
const oldSignatureParameters: ReadonlySet<string> = new Set([
  "awsaccesskeyid",
  "signature",
  "expires",
  "securitytoken",
]);

/**
 * Takes a presigned address's signature out of it and encodes the rest as AWS does before it signs.
 * @param encodePath for S3, which signs the path's own encoding; others sign the path encoded once more, whatever it is
 */
export function readTarget(target: string, encodePath: boolean): Target {
  const [beforeHash = ""] = target.split("#");
  const at = beforeHash.indexOf("?");
  const sentPath = at === -1 ? beforeHash : beforeHash.slice(0, at);
  const path = encodePath ? sentPath.split("/").map(encodedOnce).join("/") : sentPath;
  const pairs = withoutSignature((at === -1 ? "" : beforeHash.slice(at + 1)).split("&").filter((part) => part !== ""));
  const query = new Map<string, string[]>();
  for (const { name, value = "" } of pairs) query.set(name, [...(query.get(name) ?? []), value]);
  const text = pairs
    .map(({ name, value }) => encode(name) + (value === undefined ? "" : `=${encode(value)}`))
    .join("&");
  return { path, query: Object.fromEntries(query), text: text === "" ? path : `${path}?${text}` };
}

interface Pair {
  readonly name: string;
  /** undefined: without an equals sign. */
  readonly value?: string;
}

function withoutSignature(parts: readonly string[]): readonly Pair[] {
  const pairs = parts.map(readPair);
  const isOld = pairs.some(({ name }) => name.toLowerCase() === "awsaccesskeyid");
  return pairs.filter(({ name }) => {
    const lower = name.toLowerCase();
    return !signatureParameters.has(lower) && !(isOld && oldSignatureParameters.has(lower));
  });
}

function readPair(part: string): Pair {
  const at = part.indexOf("=");
  if (at === -1) return { name: decodeParameter(part) };
  return { name: decodeParameter(part.slice(0, at)), value: decodeParameter(part.slice(at + 1)) };
}

/** A plus is a space, as forms write it and AWS reads it. */
function decodeParameter(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    throw new BulkheadError("INVALID_REQUEST", "The request cannot be signed for AWS: its query is not valid UTF-8.");
  }
}

/** What is no UTF-8 stays as it is. */
function encodedOnce(segment: string): string {
  try {
    return encode(decodeURIComponent(segment));
  } catch {
    return segment;
  }
}

/** RFC 3986: everything but letters, digits and `-_.~`. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}
