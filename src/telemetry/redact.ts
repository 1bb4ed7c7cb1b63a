import { type Hide, hideNothing } from "#contracts/hide-in.ts";

/** What stands in a log line where a secret stood. */
export const redacted = "[redacted]";

/** Keys whose values are never written, whatever they hold. Compared without case, `-` and `_`. */
const secretKeys =
  /^(authorization|proxyauthorization|cookie|setcookie|xapikey|apikey|fullkey|secret|clientsecret|password|passwd|passphrase|token|authtoken|accesstoken|refreshtoken|privatekey|env|envvars|environment|credentials?)$/;

/** Shapes of secrets inside any text: our API keys, JWTs, bearer headers, AWS access keys, PEM blocks, passwords in addresses. */
const secretShapes: readonly [RegExp, string][] = [
  [/hopx_live_([A-Za-z0-9]{12})\.[A-Za-z0-9_-]+/g, `hopx_live_$1.${redacted}`],
  [/\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+/g, redacted],
  [/\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{8,}/gi, `$1 ${redacted}`],
  [/\b(AKIA|ASIA)[A-Z0-9]{16}\b/g, redacted],
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(-----END [A-Z ]*PRIVATE KEY-----|$)/g, redacted],
  [/(\w+:\/\/[^/\s:@]+):[^/\s@]+@/g, `$1:${redacted}@`],
  [/([?&](?:bulkhead_token|token|api_key|access_token)=)[^&\s"]+/gi, `$1${redacted}`],
];

const maxDepth = 6;
const maxText = 4096;

/** Keys of facts that the platform itself chooses, and nobody else: whoever could have them hidden could not be told apart. */
const platformKeys = /^(sandbox|instance|project|key|disk)(id)?$/;

export function redactText(text: string, hide: Hide = hideNothing): string {
  // Before it is cut: the beginning of a value would not be known as one.
  const known = hide(text);
  let out = known.length > maxText ? `${known.slice(0, maxText)}…[${known.length - maxText} more]` : known;
  for (const [shape, replacement] of secretShapes) out = out.replace(shape, replacement);
  return out;
}

/**
 * A copy of `value` that may be written: secret keys blanked, known values and secret shapes in texts blanked, depth and length bounded.
 * Never throws.
 */
export function redact(value: unknown, hide: Hide = hideNothing, depth = 0): unknown {
  if (typeof value === "string") return redactText(value, hide);
  if (typeof value === "bigint") return value.toString();
  if (typeof value === "function" || typeof value === "symbol") return undefined;
  if (typeof value !== "object" || value === null) return value;
  if (depth >= maxDepth) return "[deep]";
  if (value instanceof Error) return redactError(value, hide, depth);
  if (value instanceof Uint8Array) return `[${value.byteLength} bytes]`;
  if (Array.isArray(value)) return value.slice(0, 100).map((item) => redact(item, hide, depth + 1));
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [hide(key), redactMember(key, item, hide, depth + 1)]),
  );
}

function redactMember(key: string, item: unknown, hide: Hide, depth: number): unknown {
  const plain = key.toLowerCase().replaceAll(/[-_]/g, "");
  if (secretKeys.test(plain)) return redacted;
  return redact(item, platformKeys.test(plain) ? hideNothing : hide, depth);
}

function redactError(error: Error, hide: Hide, depth: number): unknown {
  const code = "code" in error ? error.code : undefined;
  return {
    name: hide(error.name),
    message: redactText(error.message, hide),
    ...(typeof code === "string" ? { code: hide(code) } : {}),
    ...(error.stack === undefined ? {} : { stack: redactText(error.stack, hide) }),
    ...(error.cause === undefined ? {} : { cause: redact(error.cause, hide, depth + 1) }),
  };
}
