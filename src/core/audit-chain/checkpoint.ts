import { createHash, createPublicKey, type KeyObject, verify } from "node:crypto";
import type { Checkpoint } from "../ports.ts";
import { canonicalJson } from "./canonical.ts";

/** Signs for the audit record (ECDSA over P-256 and SHA-256, r‖s): KMS on AWS, a key file on one machine. */
export interface AuditSigner {
  sign(bytes: Buffer): Promise<Uint8Array>;
  /** SPKI, PEM. */
  publicKeyPem(): Promise<string>;
}

/** SHA-256 of a public key (SPKI, DER), lower-case hex. */
export function auditKeyId(publicKeyPem: string): string {
  const der = createPublicKey(publicKeyPem).export({ type: "spki", format: "der" });
  return createHash("sha256").update(der).digest("hex");
}

/** A document with the signature of its canonical JSON. */
export async function signDocument<T extends object>(
  signer: AuditSigner,
  document: T,
): Promise<T & { readonly keyId: string; readonly signature: string }> {
  const signed = { ...document, keyId: auditKeyId(await signer.publicKeyPem()) };
  const signature = await signer.sign(Buffer.from(canonicalJson(signed)));
  return { ...signed, signature: Buffer.from(signature).toString("base64url") };
}

/** Whether a signed document is as its signer left it. */
export function isSigned({ signature, ...document }: { readonly signature: string }, key: KeyObject): boolean {
  const bytes = Buffer.from(canonicalJson(document));
  return verify("sha256", bytes, { key, dsaEncoding: "ieee-p1363" }, Buffer.from(signature, "base64url"));
}

export const signCheckpoint = (
  signer: AuditSigner,
  at: Pick<Checkpoint, "projectId" | "seq" | "hash" | "at">,
): Promise<Checkpoint> => signDocument(signer, at);
