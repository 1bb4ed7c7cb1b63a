import { createPrivateKey, X509Certificate } from "node:crypto";
import type { Clock } from "#core/ports.ts";
import { type Authority, certifyAuthority, makeAuthorityKey } from "#egress/certificates/authority.ts";
import { readKeyFile } from "./key-file.ts";

export interface EgressAuthorityFiles {
  readonly keyFile: string;
  readonly certificateFile: string;
  readonly clock: Pick<Clock, "now">;
}

/**
 * This machine's egress CA. The key is made on first use with mode 0600, and a certificate for it where there is none, so that either
 * file may be lost at any time.
 * @throws Error for files that others may read, or that do not belong together
 */
export function loadOrMakeAuthority({ keyFile, certificateFile, clock }: EgressAuthorityFiles): Authority {
  const keyPem = readKeyFile(keyFile, makeAuthorityKey).toString();
  const makeCertificate = () => certifyAuthority(keyPem, { deployment: "local", clock });
  const certificatePem = readKeyFile(certificateFile, makeCertificate).toString();
  if (!new X509Certificate(certificatePem).checkPrivateKey(createPrivateKey(keyPem))) {
    throw new Error(`${certificateFile} is not the certificate of ${keyFile}. Move it away to have a new one made.`);
  }
  return { keyPem, certificatePem };
}
