import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { jwtVerify } from "jose";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Clock } from "#core/ports.ts";
import { makeLocalTokenSigner } from "#local/token-signer.ts";

let directory = "";
beforeAll(() => {
  directory = mkdtempSync("/tmp/bh-signer-");
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const clock: Clock = {
  now: () => 1_700_000_000_500,
  after: () => ({ cancel() {} }),
  sleep: () => Promise.resolve(),
  random: (bytes) => crypto.getRandomValues(new Uint8Array(bytes)),
};

it("signs with a key that outlives the process, no two tokens alike", async () => {
  const keyFile = `${directory}/deep/token-key.pem`;
  const first = makeLocalTokenSigner({ keyFile, clock });
  const again = makeLocalTokenSigner({ keyFile, clock });
  expect(statSync(keyFile).mode & 0o777).toBe(0o600);
  const claims = { sandboxId: "1700000000abcdefghij", generation: 3, expiresAt: 1_700_000_100_000 };
  const [one, two] = await Promise.all([first.signer.sign(claims), again.signer.sign(claims)]);
  expect(one).not.toBe(two);
  for (const token of [one, two]) {
    const { payload } = await jwtVerify(token, first.publicKey, {
      audience: "bulkhead-agent",
      currentDate: new Date(clock.now()),
    });
    expect(payload).toMatchObject({ sub: claims.sandboxId, gen: 3, iat: 1_700_000_000, exp: 1_700_000_100 });
  }
});

it("refuses a key that others can read, and what is no such key", () => {
  const keyFile = `${directory}/open.pem`;
  writeFileSync(keyFile, "not a key", { mode: 0o644 });
  expect(() => makeLocalTokenSigner({ keyFile, clock })).toThrow(/chmod 600/);
  chmodSync(keyFile, 0o600);
  expect(() => makeLocalTokenSigner({ keyFile, clock })).toThrow();
});
