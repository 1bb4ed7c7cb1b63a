import { generateKeyPairSync, randomBytes, sign } from "node:crypto";
import { bitString, explicit, integer, objectId, sequence, set, time, utf8 } from "#contracts/der.ts";

export interface SelfSigned {
  /** PKCS #8, PEM. In memory only. */
  readonly key: string;
  /** PEM. */
  readonly cert: string;
}

const ecdsaWithSha256 = sequence(objectId("1.2.840.10045.4.3.2"));
const commonName = objectId("2.5.4.3");
const day = 86_400_000;
/** Longer than any instance lives; clocks may differ. */
const validMs = 30 * day;

/**
 * A key pair (P-256) and a certificate that it signed itself, for as long as this process lives. Nobody is to trust it by its signature:
 * the control plane remembers its fingerprint when it first meets the agent. X.509 v3, RFC 5280 §4.1.
 */
export function selfSigned(name: string, now: number): SelfSigned {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const subject = sequence(set(sequence(commonName, utf8(name))));
  const version3 = explicit(0, integer(Buffer.from([2])));
  const body = sequence(
    version3,
    integer(randomBytes(16)),
    ecdsaWithSha256,
    subject,
    sequence(time(now - day), time(now + validMs)),
    subject,
    publicKey.export({ type: "spki", format: "der" }),
  );
  const certificate = sequence(body, ecdsaWithSha256, bitString(sign("sha256", body, privateKey)));
  return { key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(), cert: pem(certificate) };
}

function pem(certificate: Buffer): string {
  const lines = certificate.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}
