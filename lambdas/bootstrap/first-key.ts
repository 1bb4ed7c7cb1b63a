import type { KeyService } from "#core/keys.ts";
import type { Clock } from "#core/ports.ts";

const day = 86_400;
/** Of the deployment's own key, as of any other. */
export const firstKeySeconds = 90 * day;
/** A new key is issued this long before the old one ends: both work meanwhile. */
const overlapMs = 14 * day * 1000;

/** Where the deployment's first API key is kept. */
export interface KeyShelf {
  /** undefined while there is none. */
  read(): Promise<StoredKey | undefined>;
  write(key: StoredKey): Promise<void>;
}

export interface StoredKey {
  readonly key: string;
  /** Epoch milliseconds. */
  readonly expiresAt: number;
}

/** @returns what was done: a key that still works and lasts is kept, else a new one takes its place */
export async function ensureFirstKey(deps: {
  readonly shelf: KeyShelf;
  readonly keys: Pick<KeyService, "authenticate" | "bootstrap">;
  readonly clock: Pick<Clock, "now">;
  readonly projectId: string;
}): Promise<"kept" | "issued"> {
  const stored = await deps.shelf.read();
  if (stored !== undefined && stored.expiresAt - deps.clock.now() > overlapMs && (await works(deps.keys, stored.key))) {
    return "kept";
  }
  const { record, key } = await deps.keys.bootstrap({
    projectId: deps.projectId,
    name: "deployment",
    expiresInSeconds: firstKeySeconds,
  });
  await deps.shelf.write({ key, expiresAt: record.expiresAt ?? Number.MAX_SAFE_INTEGER });
  return "issued";
}

async function works(keys: Pick<KeyService, "authenticate">, rawKey: string): Promise<boolean> {
  try {
    await keys.authenticate(rawKey);
    return true;
  } catch {
    // Unknown, expired or revoked: whatever it was, a new key is the answer.
    return false;
  }
}
