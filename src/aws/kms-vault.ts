import { DecryptCommand, GenerateDataKeyCommand, type KMSClient } from "@aws-sdk/client-kms";
import type { SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { cannotOpen, type DataKeys, openEnvelope, sealEnvelope } from "#core/envelope.ts";
import type { Clock, Vault } from "#core/ports.ts";
import type { Logger } from "#telemetry/logger.ts";
import { makeSecretResolver } from "./secret-resolver.ts";
import { type ClientChoice, kmsClient } from "./service-clients.ts";
import { serviceFailure } from "./service-failure.ts";

const service = "The key service";

/** The ciphertext is not ours, was changed, or belongs to another context: no repeat helps. */
const foreign = new Set(["InvalidCiphertextException", "IncorrectKeyException"]);

export interface KmsKey extends ClientChoice<KMSClient> {
  /** Symmetric key. Its policy can insist on the encryption context, which stands in CloudTrail beside each use. */
  readonly keyId: string;
}

export interface KmsVaultDeps extends KmsKey {
  /** First part of the names of secrets that sandboxes may be given (secret-reference.ts). */
  readonly secretPrefix: string;
  /** @default one for `region`, with the caller's own credentials */
  readonly secretsClient?: SecretsManagerClient;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Seals under a data key from KMS, one call to seal and one to open, whatever the size; resolves from Secrets Manager. */
export function makeKmsVault(deps: KmsVaultDeps): Vault {
  const { region, secretsClient: client, secretPrefix: prefix, clock, logger } = deps;
  const keys = dataKeys(deps);
  return {
    seal: (values, context) => sealEnvelope(keys, values, context),
    open: (sealed, context) => openEnvelope(keys, sealed, context),
    resolve: makeSecretResolver({ region, ...(client && { client }), prefix, clock, logger }),
  };
}

/** The half of a vault for functions that only open what others sealed: they have no right to anything else. */
export function makeKmsVaultOpener(key: KmsKey): Vault["open"] {
  const keys = dataKeys(key);
  return (sealed, context) => openEnvelope(keys, sealed, context);
}

function dataKeys(choice: KmsKey): DataKeys {
  const { keyId } = choice;
  const client = kmsClient(choice);
  return {
    async make(context) {
      try {
        const { Plaintext, CiphertextBlob } = await client.send(
          new GenerateDataKeyCommand({ KeyId: keyId, KeySpec: "AES_256", EncryptionContext: context }),
        );
        if (Plaintext === undefined || CiphertextBlob === undefined) throw new Error("KMS answered without a key");
        return { key: Plaintext, wrapped: CiphertextBlob };
      } catch (thrown) {
        throw serviceFailure(service, thrown);
      }
    },
    async unwrap(wrapped, context) {
      try {
        const { Plaintext } = await client.send(
          new DecryptCommand({ KeyId: keyId, CiphertextBlob: wrapped, EncryptionContext: context }),
        );
        if (Plaintext === undefined) throw new Error("KMS answered without a key");
        return Plaintext;
      } catch (thrown) {
        if (thrown instanceof Error && foreign.has(thrown.name)) throw cannotOpen(thrown);
        throw serviceFailure(service, thrown);
      }
    },
  };
}
