import type { KeyObject } from "node:crypto";
import { errors, jwtVerify } from "jose";
import * as z from "zod";
import { BulkheadError } from "#contracts/errors.ts";
import type { SandboxClaims, TokenVerifier } from "./ports.ts";

/** Audience of sandbox tokens: gateway and agents. */
export const tokenAudience = "bulkhead-agent";

const payloadSchema = z.object({ sub: z.string(), gen: z.number().int(), exp: z.number() });

const cacheSize = 2048;

/** Verifies offline with the public key. Verified texts are remembered, so that a busy client costs one signature check. */
export function makeTokenVerifier(publicKey: KeyObject, now: () => number): TokenVerifier {
  const known = new Map<string, SandboxClaims>();
  return {
    async verify(token) {
      const cached = known.get(token);
      const claims = cached ?? (await check(publicKey, token, now()));
      if (claims.expiresAt <= now()) throw expired();
      remember(known, token, claims);
      return claims;
    },
  };
}

/** Puts the token last: the first one is the one not used for longest. */
function remember(known: Map<string, SandboxClaims>, token: string, claims: SandboxClaims): void {
  known.delete(token);
  if (known.size >= cacheSize) {
    const oldest = known.keys().next();
    if (oldest.done !== true) known.delete(oldest.value);
  }
  known.set(token, claims);
}

async function check(publicKey: KeyObject, token: string, now: number): Promise<SandboxClaims> {
  try {
    const { payload } = await jwtVerify(token, publicKey, {
      algorithms: ["ES256"],
      audience: tokenAudience,
      currentDate: new Date(now),
    });
    const { sub, gen, exp } = payloadSchema.parse(payload);
    return { sandboxId: sub, generation: gen, expiresAt: exp * 1000 };
  } catch (cause) {
    if (cause instanceof errors.JWTExpired) throw expired();
    throw new BulkheadError(
      "TOKEN_INVALID",
      "Not a valid sandbox token. Send the auth_token of the sandbox as Authorization: Bearer.",
      {
        cause,
      },
    );
  }
}

function expired(): BulkheadError {
  return new BulkheadError("TOKEN_EXPIRED", "Token expired. Get another with POST /v1/sandboxes/{id}/token/refresh.");
}
