import { createHash, type KeyObject, randomBytes, sign } from "node:crypto";
import {
  bitString,
  explicit,
  implicit,
  integer,
  objectId,
  octetString,
  sequence,
  set,
  time,
  utf8,
  yes,
} from "#contracts/der.ts";

const ecdsaWithSha256 = sequence(objectId("1.2.840.10045.4.3.2"));
const version3 = explicit(0, integer(Buffer.from([2])));

export interface CertificateFields {
  /** Both as `commonName` makes them. */
  readonly issuer: Buffer;
  readonly subject: Buffer;
  /** Epoch milliseconds. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** The subject's, SPKI in DER. */
  readonly publicKey: Buffer;
  readonly extensions: readonly Buffer[];
}

/** An X.509 v3 certificate (RFC 5280 §4.1), PEM, signed by a P-256 key. Its serial number is random. */
export function issueCertificate(fields: CertificateFields, issuerKey: KeyObject): string {
  const body = sequence(
    version3,
    integer(randomBytes(16)),
    ecdsaWithSha256,
    fields.issuer,
    sequence(time(fields.notBefore), time(fields.notAfter)),
    fields.subject,
    fields.publicKey,
    explicit(3, sequence(...fields.extensions)),
  );
  const certificate = sequence(body, ecdsaWithSha256, bitString(sign("sha256", body, issuerKey)));
  const lines = certificate.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}

/** A name of one common name. */
export const commonName = (text: string): Buffer => sequence(set(sequence(objectId("2.5.4.3"), utf8(text))));

/** RFC 5280 §4.2.1.2, method 1 but over the whole SPKI: any number does that both sides use. */
export const keyIdOf = (publicKey: Buffer): Buffer => createHash("sha1").update(publicKey).digest();

const extension = (id: string, content: Buffer): Buffer => sequence(objectId(id), octetString(content));
const critical = (id: string, content: Buffer): Buffer => sequence(objectId(id), yes, octetString(content));

/** What a certificate may hold (RFC 5280 §4.2.1). */
export const extensions = {
  subjectKeyId: (keyId: Buffer) => extension("2.5.29.14", octetString(keyId)),
  authorityKeyId: (keyId: Buffer) => extension("2.5.29.35", sequence(implicit(0, keyId))),
  /** A CA that signs leafs and no further CA. */
  lastAuthority: critical("2.5.29.19", sequence(yes, integer(Buffer.from([0])))),
  noAuthority: critical("2.5.29.19", sequence()),
  /** keyCertSign, cRLSign. */
  signsCertificates: critical("2.5.29.15", bitString(Buffer.from([0b0000_0110]), 1)),
  /** digitalSignature. */
  signsHandshakes: critical("2.5.29.15", bitString(Buffer.from([0b1000_0000]), 7)),
  serverAuth: extension("2.5.29.37", sequence(objectId("1.3.6.1.5.5.7.3.1"))),
  alternativeName: (name: Buffer) => extension("2.5.29.17", sequence(name)),
};

export const dnsName = (host: string): Buffer => implicit(2, Buffer.from(host));
/** 4 or 16 octets. */
export const ipAddress = (octets: Buffer): Buffer => implicit(7, octets);
