import { createHash } from "node:crypto";
import { type Environment, permissionsOf, type Scope } from "#contracts/access.ts";
import { BulkheadError } from "#contracts/errors.ts";
import { makeKeyId } from "#contracts/ids.ts";
import { requireAccess } from "../access.ts";
import type { ApiKeyRecord, KeyLimits, Principal } from "../model.ts";
import type { Clock } from "../ports.ts";

/** What a deployment decides about keys. */
export interface KeyPolicy {
  /** Longest life of a key; null: as long as is asked for, also for ever. @default null */
  readonly maxSeconds?: number | null;
  /** When a key should be replaced. @default 90 days */
  readonly rotateAfterSeconds?: number;
}

export interface NewKey {
  readonly name: string;
  /** null: never; left out: 90 days, or the deployment's maximum where that is less. */
  readonly expiresInSeconds?: number | null;
  readonly scopes?: readonly Scope[];
  /** null: all. @default - that of the key that asks */
  readonly environment?: Environment | null;
  readonly limits?: KeyLimits | null;
}

export const defaultKeySeconds = 90 * 86_400;

export const keyHash = (rawKey: string): string => createHash("sha256").update(rawKey).digest("base64url");

/** A key and what is stored of it. */
export function makeKey(
  clock: Clock,
  policy: KeyPolicy,
  projectId: string,
  request: NewKey,
): { readonly record: ApiKeyRecord; readonly key: string } {
  const now = clock.now();
  const id = makeKeyId(clock);
  const key = `hopx_live_${id}.${Buffer.from(clock.random(32)).toString("base64url")}`;
  const seconds = lifetime(request, policy);
  const expiresAt = seconds === null ? null : now + seconds * 1000;
  const rotateAt = now + (policy.rotateAfterSeconds ?? defaultKeySeconds) * 1000;
  const record: ApiKeyRecord = {
    id,
    hash: keyHash(key),
    name: request.name,
    projectId,
    environment: request.environment ?? null,
    scopes: request.scopes ?? ["manage"],
    createdAt: now,
    expiresAt,
    rotateAt: expiresAt === null ? rotateAt : Math.min(rotateAt, expiresAt),
    replacedBy: null,
    limits: request.limits ?? null,
    decoyFor: null,
    revokedAt: null,
    lastUsedAt: null,
  };
  return { record, key };
}

/** @throws BulkheadError INVALID_REQUEST for a longer life than the deployment allows */
function lifetime({ expiresInSeconds }: NewKey, { maxSeconds = null }: KeyPolicy): number | null {
  if (expiresInSeconds === undefined) return Math.min(defaultKeySeconds, maxSeconds ?? defaultKeySeconds);
  if (maxSeconds === null || (expiresInSeconds !== null && expiresInSeconds <= maxSeconds)) return expiresInSeconds;
  throw new BulkheadError(
    "INVALID_REQUEST",
    `Keys of this deployment live ${Math.floor(maxSeconds / 86_400)} days at most (${maxSeconds} seconds). Ask for less.`,
    { details: { field: "expires_in_seconds", maximum: maxSeconds } },
  );
}

/** Nobody gives what they do not have: no permission, no other environment. @throws BulkheadError FORBIDDEN */
export function requireGivable(principal: Principal, { scopes = ["manage"], environment }: NewKey): void {
  for (const permission of permissionsOf(scopes)) requireAccess(principal, permission);
  if (principal.environment === null || environment === principal.environment) return;
  throw new BulkheadError(
    "FORBIDDEN",
    `This API key belongs to the environment ${principal.environment} and makes keys of no other.`,
    { details: { environment: principal.environment } },
  );
}
