import { createPublicKey, type KeyObject } from "node:crypto";
import { GetPublicKeyCommand, type KMSClient, SignCommand } from "@aws-sdk/client-kms";
import type { Clock, TokenSigner } from "#core/ports.ts";
import { makeTokenSigner } from "#core/token-signing.ts";
import { rawSignature } from "./der-signature.ts";
import { type ClientChoice, kmsClient } from "./service-clients.ts";
import { callService } from "./service-failure.ts";

const service = "The key service";

interface SigningKey extends ClientChoice<KMSClient> {
  /** Key of spec ECC_NIST_P256. */
  readonly keyId: string;
}

export interface KmsTokenSignerDeps extends SigningKey {
  readonly clock: Clock;
}

/**
 * Signs sandbox tokens (ES256) with a KMS key: one call per token.
 * KMS hashes the message itself (RAW): a token's 300 bytes are far below its 4,096, and one hash less can be got wrong.
 */
export function makeKmsTokenSigner(deps: KmsTokenSignerDeps): TokenSigner {
  const { keyId, clock } = deps;
  const client = kmsClient(deps);
  return makeTokenSigner(clock, (input) =>
    callService(service, async () => {
      const { Signature } = await client.send(
        new SignCommand({ KeyId: keyId, Message: input, MessageType: "RAW", SigningAlgorithm: "ECDSA_SHA_256" }),
      );
      if (Signature === undefined) throw new Error("KMS answered without a signature");
      return rawSignature(Signature);
    }),
  );
}

/** The public half, for whoever verifies offline: the gateway reads it once at its start. */
export function readPublicKey(choice: SigningKey): Promise<KeyObject> {
  const { keyId } = choice;
  return callService(service, async () => {
    const { PublicKey, KeyUsage } = await kmsClient(choice).send(new GetPublicKeyCommand({ KeyId: keyId }));
    if (PublicKey === undefined) throw new Error("KMS answered without a public key");
    const key = createPublicKey({ key: Buffer.from(PublicKey), format: "der", type: "spki" });
    if (KeyUsage !== "SIGN_VERIFY" || key.asymmetricKeyDetails?.namedCurve !== "prime256v1") {
      throw new Error(`${keyId} is not a P-256 key for signing`);
    }
    return key;
  });
}
