import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { SignJWT } from "jose";
import { describe, expect, it } from "vitest";
import { makeTokenVerifier, tokenAudience } from "#core/tokens.ts";
import { startOfTime } from "#test/support/fixtures.ts";

const keys = generateKeyPairSync("ec", { namedCurve: "P-256" });
const exp = startOfTime / 1000 + 3600;

interface Parts {
  readonly key?: KeyObject;
  readonly audience?: string;
  readonly gen?: unknown;
}

function sign(parts: Parts = {}): Promise<string> {
  return new SignJWT({ gen: "gen" in parts ? parts.gen : 3 })
    .setProtectedHeader({ alg: "ES256" })
    .setAudience(parts.audience ?? tokenAudience)
    .setSubject("sandbox")
    .setExpirationTime(exp)
    .sign(parts.key ?? keys.privateKey);
}

describe("token verifier", () => {
  it("forgets the token not used for longest, and is right all the same", async () => {
    const verifier = makeTokenVerifier(keys.publicKey, () => startOfTime);
    const first = await sign();
    await verifier.verify(first);
    for (let count = 0; count < 2100; count += 1) await verifier.verify(await sign({ gen: count }));
    expect(await verifier.verify(first)).toMatchObject({ generation: 3 });
  });

  it("reads the claims of a good token, and knows it again", async () => {
    const verifier = makeTokenVerifier(keys.publicKey, () => startOfTime);
    const token = await sign();
    const claims = { sandboxId: "sandbox", generation: 3, expiresAt: exp * 1000 };
    expect(await verifier.verify(token)).toEqual(claims);
    expect(await verifier.verify(token)).toEqual(claims);
  });

  it("refuses an expired token, also one it has verified before", async () => {
    let now = startOfTime;
    const verifier = makeTokenVerifier(keys.publicKey, () => now);
    const token = await sign();
    await verifier.verify(token);
    now = exp * 1000;
    await expect(verifier.verify(token)).rejects.toMatchObject({ code: "TOKEN_EXPIRED" });
    const fresh = makeTokenVerifier(keys.publicKey, () => now + 1);
    await expect(fresh.verify(token)).rejects.toMatchObject({ code: "TOKEN_EXPIRED" });
  });

  it.each([
    ["another key", { key: generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey }],
    ["another audience", { audience: "somebody" }],
    ["no generation", { gen: "x" }],
  ])("refuses a token with %s", async (_what, parts) => {
    const verifier = makeTokenVerifier(keys.publicKey, () => startOfTime);
    await expect(verifier.verify(await sign(parts))).rejects.toMatchObject({ code: "TOKEN_INVALID" });
  });

  it("refuses text that is no token, and a token without a signature", async () => {
    const verifier = makeTokenVerifier(keys.publicKey, () => startOfTime);
    const [, payload] = (await sign()).split(".");
    const header = Buffer.from('{"alg":"none"}').toString("base64url");
    for (const text of ["", "x", "a.b.c", `${header}.${payload ?? ""}.`]) {
      await expect(verifier.verify(text)).rejects.toMatchObject({ code: "TOKEN_INVALID" });
    }
  });
});
