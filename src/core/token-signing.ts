import { makeRequestId } from "#contracts/ids.ts";
import type { Clock, TokenSigner } from "./ports.ts";
import { linkAudience, tokenAudience } from "./tokens.ts";

/** ECDSA over P-256 and SHA-256 of `input`, as the 64 bytes r‖s that JOSE wants. */
export type Es256 = (input: Buffer) => Promise<Uint8Array>;

/** Sandbox tokens whose signature comes from wherever the key is kept: one call of `sign` per token. */
export function makeTokenSigner(clock: Clock, sign: Es256): TokenSigner {
  return {
    sign: ({ sandboxId, generation, expiresAt, issuedBy }) =>
      jwt({ gen: generation, by: issuedBy, aud: tokenAudience, sub: sandboxId }, expiresAt),
    signLink: ({ sandboxId, port, generation, expiresAt }) =>
      jwt({ gen: generation, port, aud: linkAudience, sub: sandboxId }, expiresAt),
  };

  async function jwt(claims: object, expiresAt: number): Promise<string> {
    const payload = { ...claims, ...times(expiresAt, clock) };
    const input = `${encoded({ alg: "ES256", typ: "JWT" })}.${encoded(payload)}`;
    const signature = await sign(Buffer.from(input));
    return `${input}.${Buffer.from(signature).toString("base64url")}`;
  }
}

function times(expiresAt: number, clock: Clock): object {
  return {
    // Makes two tokens of one second differ.
    jti: makeRequestId(clock),
    iat: Math.floor(clock.now() / 1000),
    exp: Math.floor(expiresAt / 1000),
  };
}

function encoded(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}
