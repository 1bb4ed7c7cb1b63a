import { createPrivateKey, createPublicKey, generateKeyPairSync, X509Certificate } from "node:crypto";
import { parseAddress } from "../address.ts";
import type { Authority } from "./authority.ts";
import { commonName, dnsName, extensions, ipAddress, issueCertificate, keyIdOf } from "./certificate.ts";

const day = 86_400_000;
export const leafValidMs = 7 * day;

export interface Leafs {
  /** PKCS #8, PEM: one key for all leafs of this process, in memory only. */
  readonly keyPem: string;
  /** A certificate for this host, PEM, from a day before `now` for seven days. */
  issue(host: string, now: number): string;
}

/** @throws Error for an authority that `makeAuthority` did not make, or that has expired */
export function makeLeafs(authority: Authority, now: number): Leafs {
  const certificate = new X509Certificate(authority.certificatePem);
  const authorityKey = createPrivateKey(authority.keyPem);
  const authorityEnds = Date.parse(certificate.validTo);
  const issuer = commonName(commonNameOf(certificate));
  const issuerKeyId = keyIdOf(createPublicKey(authorityKey).export({ type: "spki", format: "der" }));

  const { privateKey, publicKey: leafKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const publicKey = leafKey.export({ type: "spki", format: "der" });
  const common = [
    extensions.noAuthority,
    extensions.signsHandshakes,
    extensions.serverAuth,
    extensions.subjectKeyId(keyIdOf(publicKey)),
    extensions.authorityKeyId(issuerKeyId),
  ];
  const subject = commonName("Bulkhead egress");
  const issue = (host: string, at: number) => {
    const window = { notBefore: at - day, notAfter: Math.min(at + leafValidMs, authorityEnds) };
    const names = extensions.alternativeName(alternativeName(host));
    return issueCertificate({ issuer, subject, ...window, publicKey, extensions: [...common, names] }, authorityKey);
  };

  // Clients would refuse every leaf; better to say so once, at start.
  const trial = new X509Certificate(issue("localhost", now));
  if (!trial.checkIssued(certificate) || !trial.verify(certificate.publicKey)) {
    throw new Error("The key and the certificate of the egress CA do not belong together.");
  }
  if (authorityEnds <= now) throw new Error(`The certificate of the egress CA has expired (${certificate.validTo}).`);
  return { keyPem: privateKey.export({ type: "pkcs8", format: "pem" }).toString(), issue };
}

function commonNameOf(certificate: X509Certificate): string {
  const name: unknown = certificate.toLegacyObject().subject.CN;
  return typeof name === "string" ? name : "";
}

function alternativeName(host: string): Buffer {
  const address = parseAddress(host);
  if (address === undefined) return dnsName(host);
  const digits = address.value.toString(16).padStart(address.family === 4 ? 8 : 32, "0");
  return ipAddress(Buffer.from(digits, "hex"));
}
