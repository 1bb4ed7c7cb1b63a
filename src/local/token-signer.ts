import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { linkSync, lstatSync, mkdirSync, readFileSync, unlinkSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { SignJWT } from "jose";
import { makeRequestId } from "#contracts/ids.ts";
import type { Clock, TokenSigner } from "#core/ports.ts";

export interface LocalTokenSigner {
  readonly signer: TokenSigner;
  /** For gateway and agent: they verify offline. */
  readonly publicKey: KeyObject;
}

const pemOptions = { type: "pkcs8", format: "pem" } as const;

/** Writes a new key under a name of its own first, so that a crash or a second process never leaves half of one. */
function createKeyFile(path: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, privateKey.export(pemOptions), { mode: 0o600, flag: "wx" });
  try {
    linkSync(draft, path);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
  } finally {
    unlinkSync(draft);
  }
}

function readKeyFile(path: string): KeyObject {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) createKeyFile(path);
  else if (!stat.isFile() || (stat.mode & 0o077) !== 0) {
    throw new Error(`${path} must be a file that only its owner can read. Run: chmod 600 ${path}`);
  }
  const key = createPrivateKey(readFileSync(path));
  if (key.asymmetricKeyType !== "ec" || key.asymmetricKeyDetails?.namedCurve !== "prime256v1") {
    throw new Error(`${path} is not a P-256 key. Move it away to have a new one made; tokens signed before then end.`);
  }
  return key;
}

/** Signs sandbox tokens (ES256) with the key in `keyFile`, which is made on first use with mode 0600. */
export function makeLocalTokenSigner(options: { readonly keyFile: string; readonly clock: Clock }): LocalTokenSigner {
  const key = readKeyFile(options.keyFile);
  const { clock } = options;
  return {
    publicKey: createPublicKey(key),
    signer: {
      sign: ({ sandboxId, generation, expiresAt }) =>
        new SignJWT({ gen: generation })
          .setProtectedHeader({ alg: "ES256", typ: "JWT" })
          .setAudience("bulkhead-agent")
          .setSubject(sandboxId)
          .setJti(makeRequestId(clock))
          .setIssuedAt(Math.floor(clock.now() / 1000))
          .setExpirationTime(Math.floor(expiresAt / 1000))
          .sign(key),
    },
  };
}
