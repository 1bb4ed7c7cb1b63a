import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import type { Clock, TokenSigner } from "#core/ports.ts";
import { makeTokenSigner } from "#core/token-signing.ts";
import { readKeyFile } from "./key-file.ts";

export interface LocalTokenSigner {
  readonly signer: TokenSigner;
  /** For gateway and agent: they verify offline. */
  readonly publicKey: KeyObject;
}

function makeKey(): string | Buffer {
  return generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ type: "pkcs8", format: "pem" });
}

function readSigningKey(path: string): KeyObject {
  const key = createPrivateKey(readKeyFile(path, makeKey));
  if (key.asymmetricKeyType !== "ec" || key.asymmetricKeyDetails?.namedCurve !== "prime256v1") {
    throw new Error(`${path} is not a P-256 key. Move it away to have a new one made; tokens signed before then end.`);
  }
  return key;
}

/** Signs sandbox tokens (ES256) with the key in `keyFile`, which is made on first use with mode 0600. */
export function makeLocalTokenSigner(options: { readonly keyFile: string; readonly clock: Clock }): LocalTokenSigner {
  const key = readSigningKey(options.keyFile);
  return {
    publicKey: createPublicKey(key),
    signer: makeTokenSigner(options.clock, (input) =>
      Promise.resolve(sign("sha256", input, { key, dsaEncoding: "ieee-p1363" })),
    ),
  };
}
