import type { ApiKeyRecord } from "#core/model.ts";

/** Age in whole days of the oldest key that still opens anything; 0 without one. */
export function oldestKeyAgeDays(keys: readonly ApiKeyRecord[], now: number): number {
  const ages = keys
    .filter((key) => key.revokedAt === null && (key.expiresAt === null || key.expiresAt > now))
    .map((key) => Math.floor((now - key.createdAt) / 86_400_000));
  return Math.max(0, ...ages);
}
