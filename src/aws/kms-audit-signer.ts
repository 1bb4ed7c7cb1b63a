import { createHash } from "node:crypto";
import { type KMSClient, SignCommand } from "@aws-sdk/client-kms";
import type { AuditSigner } from "#core/audit-chain/checkpoint.ts";
import { rawSignature } from "./der-signature.ts";
import { readPublicKey } from "./kms-token-signer.ts";
import { type ClientChoice, kmsClient } from "./service-clients.ts";
import { callService } from "./service-failure.ts";

export interface KmsAuditSignerDeps extends ClientChoice<KMSClient> {
  /** Key of spec ECC_NIST_P256. */
  readonly keyId: string;
}

/** KMS takes this many bytes to hash itself. */
const maxMessage = 4096;

/** Signs checkpoints and evidence with a KMS key. Its public half is read once. */
export function makeKmsAuditSigner(deps: KmsAuditSignerDeps): AuditSigner {
  const client = kmsClient(deps);
  let pem: Promise<string> | null = null;
  return {
    sign: (bytes) =>
      callService("The key service", async () => {
        const input = bytes.length <= maxMessage ? ({ Message: bytes, MessageType: "RAW" } as const) : digestOf(bytes);
        const { Signature } = await client.send(
          new SignCommand({ KeyId: deps.keyId, SigningAlgorithm: "ECDSA_SHA_256", ...input }),
        );
        if (Signature === undefined) throw new Error("KMS answered without a signature");
        return rawSignature(Signature);
      }),
    publicKeyPem() {
      pem ??= readPublicKey(deps).then((key) => key.export({ type: "spki", format: "pem" }).toString());
      pem.catch(() => {
        pem = null;
      });
      return pem;
    },
  };
}

function digestOf(bytes: Buffer): { readonly Message: Buffer; readonly MessageType: "DIGEST" } {
  return { Message: createHash("sha256").update(bytes).digest(), MessageType: "DIGEST" };
}
