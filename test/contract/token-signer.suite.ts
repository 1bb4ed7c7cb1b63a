import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { decodeJwt, decodeProtectedHeader } from "jose";
import { describe, expect, it } from "vitest";
import type { TokenSigner } from "#core/ports.ts";
import { makeTokenVerifier } from "#core/tokens.ts";
import type { VirtualClock } from "#test/support/virtual-clock.ts";

export interface SignerWorld {
  readonly signer: TokenSigner;
  readonly publicKey: KeyObject;
  readonly clock: VirtualClock;
}

export function tokenSignerContract(name: string, make: () => Promise<SignerWorld>): void {
  const claimsAt = (now: number) => ({ sandboxId: "1800000000abcdefghij", generation: 3, expiresAt: now + 90_500 });

  describe(`${name}: token signer`, () => {
    it("signs what gateway and agent verify with the public half alone", async () => {
      const { signer, publicKey, clock } = await make();
      const token = await signer.sign(claimsAt(clock.now()));
      const verifier = makeTokenVerifier(publicKey, () => clock.now());
      expect(await verifier.verify(token)).toEqual({
        sandboxId: "1800000000abcdefghij",
        generation: 3,
        expiresAt: clock.now() + 90_000,
      });
      await clock.advance(90_000);
      await expect(verifier.verify(token)).rejects.toMatchObject({ code: "TOKEN_EXPIRED" });
    });

    it("writes the same header and claims as every other signer", async () => {
      const { signer, clock } = await make();
      const token = await signer.sign(claimsAt(clock.now()));
      expect(decodeProtectedHeader(token)).toEqual({ alg: "ES256", typ: "JWT" });
      const seconds = Math.floor(clock.now() / 1000);
      expect(decodeJwt(token)).toEqual({
        gen: 3,
        aud: "bulkhead-agent",
        sub: "1800000000abcdefghij",
        jti: expect.stringMatching(/^req_[a-z0-9]{20}$/) as string,
        iat: seconds,
        exp: Math.floor((clock.now() + 90_500) / 1000),
      });
    });

    it("never signs the same text twice, and every signature is 64 bytes that verify", async () => {
      const { signer, publicKey, clock } = await make();
      const claims = claimsAt(clock.now());
      const tokens = await Promise.all(Array.from({ length: 60 }, () => signer.sign(claims)));
      expect(new Set(tokens).size).toBe(60);
      const verifier = makeTokenVerifier(publicKey, () => clock.now());
      for (const token of tokens) {
        expect(Buffer.from(token.split(".")[2] ?? "", "base64url")).toHaveLength(64);
        expect(await verifier.verify(token)).toMatchObject({ sandboxId: claims.sandboxId });
      }
    });

    it("signs what no other key verifies", async () => {
      const { signer, clock } = await make();
      const token = await signer.sign(claimsAt(clock.now()));
      const other = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey;
      await expect(makeTokenVerifier(other, () => clock.now()).verify(token)).rejects.toMatchObject({
        code: "TOKEN_INVALID",
      });
    });
  });
}
