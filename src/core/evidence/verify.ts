import { createPublicKey, type KeyObject } from "node:crypto";
import type { Evidence } from "#contracts/control/evidence.ts";
import { auditKeyId, isSigned } from "../audit-chain/checkpoint.ts";
import { linkHash } from "../audit-chain/link.ts";
import type { AuditEvent } from "../model.ts";
import { digestsOf, parts } from "./digests.ts";

export interface EvidenceVerdict {
  readonly ok: boolean;
  /** Whether the signature is the key's. */
  readonly signed: boolean;
  /** SHA-256 of the key that was held against it. */
  readonly keyId: string;
  /** What does not hold together, in words. */
  readonly findings: readonly string[];
}

const maxFindings = 100;

/**
 * Offline. The signature covers everything; digests of the parts and the hashes of the audit events only say where a bundle that is not
 * as it was signed was changed.
 * @param publicKeyPem from where it was kept: the one in the bundle says who it claims to be from, and no more
 */
export function verifyEvidence(bundle: Evidence, publicKeyPem: string): EvidenceVerdict {
  const key = createPublicKey(publicKeyPem);
  const keyId = auditKeyId(publicKeyPem);
  const signed = holds(() => isSigned(bundle, key));
  const findings = [...changedParts(bundle), ...eventFindings(bundle), ...checkpointFindings(bundle, key)];
  if (!signed) {
    findings.unshift(
      bundle.keyId === keyId
        ? "the signature does not fit: the bundle is not as it was signed"
        : `the bundle says that key ${bundle.keyId} signed it, this is key ${keyId}`,
    );
    if (findings.length === 1 && bundle.keyId === keyId)
      findings.push("none of its parts differs from its digest: what was changed is outside of them");
  }
  return { ok: signed && findings.length === 0, signed, keyId, findings: findings.slice(0, maxFindings) };
}

function changedParts(bundle: Evidence): string[] {
  const now = digestsOf(bundle);
  return parts.flatMap((part) => (now[part] === bundle.digests[part] ? [] : [`"${part}" is not what was signed`]));
}

function eventFindings({ audit, project_id, sandbox_id }: Evidence): string[] {
  const findings: string[] = [];
  let before: Evidence["audit"][number] | undefined;
  for (const record of audit) {
    const { seq, prev, hash, event } = record;
    if (linkHash(prev, seq, event as unknown as AuditEvent) !== hash)
      findings.push(`audit event ${seq} is not what its hash was made of`);
    if (event["projectId"] !== project_id || event["target"] !== sandbox_id)
      findings.push(`audit event ${seq} is not of this sandbox`);
    if (before !== undefined && seq <= before.seq) findings.push(`audit event ${seq} stands after ${before.seq}`);
    if (before !== undefined && seq === before.seq + 1 && prev !== before.hash)
      findings.push(`audit event ${seq} continues another event ${before.seq} than the one here`);
    before = record;
  }
  return findings;
}

function checkpointFindings({ checkpoint, audit, project_id }: Evidence, key: KeyObject): string[] {
  const last = audit.at(-1);
  if (checkpoint === null) return last === undefined ? [] : ["there is no checkpoint"];
  if (!holds(() => isSigned(checkpoint, key))) return ["the checkpoint is not signed by this key"];
  if (checkpoint.projectId !== project_id) return ["the checkpoint is of another project"];
  if (last === undefined) return [];
  if (checkpoint.seq < last.seq) return [`the checkpoint at ${checkpoint.seq} does not cover audit event ${last.seq}`];
  return checkpoint.seq === last.seq && checkpoint.hash !== last.hash
    ? [`the checkpoint knows another audit event ${last.seq}`]
    : [];
}

/** A signature that is none at all fits as little as a wrong one. */
function holds(check: () => boolean): boolean {
  try {
    return check();
  } catch {
    return false;
  }
}
