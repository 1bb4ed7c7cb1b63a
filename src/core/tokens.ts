import type { KeyObject } from "node:crypto";
import { errors, jwtVerify } from "jose";
import * as z from "zod";
import { BulkheadError } from "#contracts/errors.ts";
import type { TokenVerifier } from "./ports.ts";

/** Audience of sandbox tokens: gateway and agents. */
export const tokenAudience = "bulkhead-agent";

/** Audience of signed links to ports: the gateway alone. */
export const linkAudience = "bulkhead-port";

/** Tokens of before keys stood in them were issued by nobody who could be revoked. */
const tokenSchema = z.object({ sub: z.string(), gen: z.number().int(), exp: z.number(), by: z.string().optional() });
const linkSchema = z.object({ sub: z.string(), gen: z.number().int(), exp: z.number(), port: z.number().int() });

const cacheSize = 2048;

/** Verifies offline with the public key. Verified texts are remembered, so that a busy client costs one signature check. */
export function makeTokenVerifier(publicKey: KeyObject, now: () => number): TokenVerifier {
  return {
    verify: remembering(now, async (token) => {
      const { sub, gen, exp, by } = tokenSchema.parse(await payloadOf(publicKey, token, tokenAudience, now()));
      return { sandboxId: sub, generation: gen, expiresAt: exp * 1000, ...(by !== undefined && { issuedBy: by }) };
    }),
    verifyLink: remembering(now, async (link) => {
      const { sub, gen, exp, port } = linkSchema.parse(await payloadOf(publicKey, link, linkAudience, now()));
      return { sandboxId: sub, generation: gen, expiresAt: exp * 1000, port };
    }),
  };
}

function remembering<T extends { readonly expiresAt: number }>(
  now: () => number,
  check: (text: string) => Promise<T>,
): (text: string) => Promise<T> {
  const known = new Map<string, T>();
  return async (text) => {
    const claims = known.get(text) ?? (await checked(check, text));
    if (claims.expiresAt <= now()) throw expired();
    remember(known, text, claims);
    return claims;
  };
}

/** Puts the text last: the first one is the one not used for longest. */
function remember<T>(known: Map<string, T>, text: string, claims: T): void {
  known.delete(text);
  if (known.size >= cacheSize) {
    const oldest = known.keys().next();
    if (oldest.done !== true) known.delete(oldest.value);
  }
  known.set(text, claims);
}

async function checked<T>(check: (text: string) => Promise<T>, text: string): Promise<T> {
  try {
    return await check(text);
  } catch (cause) {
    if (cause instanceof errors.JWTExpired) throw expired();
    throw new BulkheadError(
      "TOKEN_INVALID",
      "Not a valid sandbox token. Send the auth_token of the sandbox as Authorization: Bearer.",
      { cause },
    );
  }
}

async function payloadOf(publicKey: KeyObject, token: string, audience: string, now: number): Promise<unknown> {
  const { payload } = await jwtVerify(token, publicKey, {
    algorithms: ["ES256"],
    audience,
    currentDate: new Date(now),
  });
  return payload;
}

function expired(): BulkheadError {
  return new BulkheadError("TOKEN_EXPIRED", "Token expired. Get another with POST /v1/sandboxes/{id}/token/refresh.");
}
