import { createPrivateKey, createPublicKey, generateKeyPairSync } from "node:crypto";
import type { Clock } from "#core/ports.ts";
import { commonName, extensions, issueCertificate, keyIdOf } from "./certificate.ts";

/** The deployment's CA. */
export interface Authority {
  readonly certificatePem: string;
  /** PKCS #8. Whoever has it can show any name to every sandbox of the deployment. */
  readonly keyPem: string;
}

export interface AuthorityOptions {
  /** Names the CA for people; the certificate's name is cut after 64 characters. */
  readonly deployment: string;
  readonly clock: Pick<Clock, "now">;
}

const day = 86_400_000;
const validDays = 3_652;
/** RFC 5280, ub-common-name. */
const longestName = 64;

export function makeAuthority(options: AuthorityOptions): Promise<Authority> {
  const keyPem = makeAuthorityKey();
  return Promise.resolve({ keyPem, certificatePem: certifyAuthority(keyPem, options) });
}

/** A new P-256 key, PKCS #8 PEM. */
export function makeAuthorityKey(): string {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return privateKey.export({ type: "pkcs8", format: "pem" }).toString();
}

/** The CA's certificate for its key, valid for ten years from a day ago: clocks may differ. */
export function certifyAuthority(keyPem: string, { deployment, clock }: AuthorityOptions): string {
  const key = createPrivateKey(keyPem);
  const publicKey = createPublicKey(key).export({ type: "spki", format: "der" });
  const name = commonName(`Bulkhead egress CA ${deployment}`.slice(0, longestName));
  const keyId = keyIdOf(publicKey);
  const fields = {
    issuer: name,
    subject: name,
    notBefore: clock.now() - day,
    notAfter: clock.now() + validDays * day,
    publicKey,
    extensions: [
      extensions.lastAuthority,
      extensions.signsCertificates,
      extensions.subjectKeyId(keyId),
      extensions.authorityKeyId(keyId),
    ],
  };
  return issueCertificate(fields, key);
}
