import * as z from "zod";

/**
 * A sandbox id is one DNS label, lowercase alphanumeric, 10 digits of epoch seconds then 10 characters that start with
 * a letter. No dot and no hyphen: clients find the port of a preview host by `digits-` (contract §1.4).
 */
export const sandboxIdSchema = z.string().regex(/^\d{10}[a-z][a-z0-9]{9}$/, "not a sandbox id");

/** An instance id, unique in a deployment, usable as a file and cgroup name. */
export const instanceIdSchema = z.string().regex(/^i[a-z0-9]{16}$/, "not an instance id");

/** `hopx_live_<12 base62>.<43 base64url>`: the form the Hopx CLI checks (contract §2.1). 12 is the public key id, 43 is 256 random bits. */
export const apiKeySchema = z.string().regex(/^hopx_live_[A-Za-z0-9]{12}\.[A-Za-z0-9_-]{43}$/, "not an API key");

/** Sources of randomness and time that id makers need; tests pass their own. */
export interface IdSource {
  /** Epoch milliseconds. */
  now(): number;
  /** Cryptographically random bytes. */
  random(bytes: number): Uint8Array;
}

const lower = "abcdefghijklmnopqrstuvwxyz";
const lowerDigits = `${lower}0123456789`;
const base62 = `${lowerDigits}ABCDEFGHIJKLMNOPQRSTUVWXYZ`;

/** `length` characters of `alphabet`, unbiased for alphabets up to 256 characters. */
function pick(source: IdSource, alphabet: string, length: number): string {
  const limit = 256 - (256 % alphabet.length);
  let out = "";
  while (out.length < length) {
    for (const byte of source.random(length * 2)) {
      if (byte < limit && out.length < length) out += alphabet.charAt(byte % alphabet.length);
    }
  }
  return out;
}

export function makeSandboxId(source: IdSource): string {
  const seconds = String(Math.floor(source.now() / 1000))
    .padStart(10, "0")
    .slice(-10);
  return seconds + pick(source, lower, 1) + pick(source, lowerDigits, 9);
}

export function makeInstanceId(source: IdSource): string {
  return `i${pick(source, lowerDigits, 16)}`;
}

export function makeRequestId(source: IdSource): string {
  return `req_${pick(source, lowerDigits, 20)}`;
}

/** The public part of an API key: it may be shown and logged. */
export function makeKeyId(source: IdSource): string {
  return pick(source, base62, 12);
}
