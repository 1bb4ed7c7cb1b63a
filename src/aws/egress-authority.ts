import { DecryptCommand, EncryptCommand } from "@aws-sdk/client-kms";
import * as z from "zod";
import type { Written } from "#core/ports.ts";
import type { KmsKey } from "./kms-vault.ts";
import { kmsClient } from "./service-clients.ts";
import { callService } from "./service-failure.ts";
import { putNew, readItem, type TableDeps } from "./table-access.ts";

/** The egress CA as the egress proxy uses it. */
export interface StoredAuthority {
  readonly certificatePem: string;
  /** PKCS #8. */
  readonly keyPem: string;
}

export interface AuthorityStoreDeps extends KmsKey {
  readonly table: TableDeps;
  readonly deployment: string;
}

const service = "The key service";
const key = { pk: "CONFIG", sk: "egress-ca" };
const itemSchema = z.object({ certificatePem: z.string(), /** Base64. */ sealedKey: z.string() });

/** Tells it from everything else under the data key, so that who may open it is said apart (infra/constructs/functions/key-rights.ts). */
export const authorityContext = (deployment: string) => ({ deployment, purpose: "egress-ca" }) as const;

/**
 * The egress CA in the table: its certificate as it is, for whoever makes instances; its key under KMS, which encrypts a key of this
 * size by itself.
 */
export function makeStoredAuthority(deps: AuthorityStoreDeps) {
  const { table, keyId, deployment } = deps;
  const client = kmsClient(deps);
  const EncryptionContext = authorityContext(deployment);
  return {
    /** undefined until the first deploy has made it */
    async read(): Promise<StoredAuthority | undefined> {
      const item = await readItem(table, key, itemSchema);
      if (item === undefined) return undefined;
      const CiphertextBlob = Buffer.from(item.sealedKey, "base64");
      const { Plaintext } = await callService(service, () =>
        client.send(new DecryptCommand({ KeyId: keyId, CiphertextBlob, EncryptionContext })),
      );
      if (Plaintext === undefined) throw new Error("KMS answered without a text");
      return { certificatePem: item.certificatePem, keyPem: Buffer.from(Plaintext).toString("utf8") };
    },
    /** @returns lost when there is one already */
    async create({ certificatePem, keyPem }: StoredAuthority): Promise<Written> {
      const Plaintext = Buffer.from(keyPem);
      const { CiphertextBlob } = await callService(service, () =>
        client.send(new EncryptCommand({ KeyId: keyId, Plaintext, EncryptionContext })),
      );
      if (CiphertextBlob === undefined) throw new Error("KMS answered without a ciphertext");
      return putNew(table, key, { certificatePem, sealedKey: Buffer.from(CiphertextBlob).toString("base64") });
    },
  };
}

/** Certificate of the egress CA, PEM; undefined until the first deploy has made it. */
export async function publishedCertificate(table: TableDeps): Promise<string | undefined> {
  return (await readItem(table, key, itemSchema))?.certificatePem;
}
