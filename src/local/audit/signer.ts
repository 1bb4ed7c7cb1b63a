import { createPrivateKey, createPublicKey, generateKeyPairSync, sign } from "node:crypto";
import type { AuditSigner } from "#core/audit-chain/checkpoint.ts";
import { readKeyFile } from "../key-file.ts";

/** Signs with the P-256 key in `keyFile`, which is made on first use with mode 0600. */
export function makeLocalAuditSigner(keyFile: string): AuditSigner {
  const key = createPrivateKey(
    readKeyFile(keyFile, () =>
      generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ type: "pkcs8", format: "pem" }),
    ),
  );
  const pem = createPublicKey(key).export({ type: "spki", format: "pem" }).toString();
  return {
    sign: (bytes) => Promise.resolve(sign("sha256", bytes, { key, dsaEncoding: "ieee-p1363" })),
    publicKeyPem: () => Promise.resolve(pem),
  };
}
