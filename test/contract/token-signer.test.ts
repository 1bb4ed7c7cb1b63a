import { mkdtempSync, rmSync } from "node:fs";
import { afterAll, beforeAll } from "vitest";
import { makeLocalTokenSigner } from "#local/token-signer.ts";
import { makeVirtualClock } from "#test/support/virtual-clock.ts";
import { tokenSignerContract } from "./token-signer.suite.ts";

let directory = "";
beforeAll(() => {
  directory = mkdtempSync("/tmp/bh-signer-");
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

tokenSignerContract("one machine", async () => {
  const clock = makeVirtualClock();
  return { ...makeLocalTokenSigner({ keyFile: `${directory}/key.pem`, clock }), clock };
});
