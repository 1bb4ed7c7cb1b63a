import { timingSafeEqual } from "node:crypto";
import { BulkheadError } from "#contracts/errors.ts";
import { apiKeySchema } from "#contracts/ids.ts";
import type { Signals } from "../alerts/signals.ts";
import type { ApiKeyRecord, Principal } from "../model.ts";
import type { Clock, KeyStore } from "../ports.ts";
import { makeFailureBudget } from "./failures.ts";
import { keyHash } from "./issue.ts";
import { makeKeyNotes } from "./notes.ts";

/** Where a key was shown. */
export interface KeyShown {
  readonly sourceIp: string | null;
  readonly plane: "control" | "data";
}

export interface KeyCheckDeps {
  readonly keys: Pick<KeyStore, "get" | "markUsed">;
  readonly clock: Clock;
  readonly signals?: Signals | undefined;
}

export interface KeyCheck {
  /**
   * Whether a key was revoked, or replaced another in the meantime, is known within five seconds everywhere.
   * @throws BulkheadError INVALID_API_KEY, RATE_LIMIT_EXCEEDED for an address with too many wrong ones
   */
  authenticate(rawKey: string, shown?: KeyShown): Promise<Principal>;
  /** Whether a key was revoked, by its id; what is no key of ours was not. Known within five seconds. */
  revoked(keyId: string): Promise<boolean>;
  /** The next question goes to the store. */
  forget(): void;
}

/** A verified key is trusted this long without another look, so a revocation takes effect within five seconds. */
const trustMs = 4_000;
const maxTrusted = 10_000;
const goodMs = 3_600_000;

const refused = new WeakMap<object, { readonly projectId: string; readonly keyId: string }>();

/** The key that an authentication was refused to, where its holder showed its secret: for the record, never for the answer. */
export function refusedKeyOf(error: unknown): { readonly projectId: string; readonly keyId: string } | undefined {
  return typeof error === "object" && error !== null ? refused.get(error) : undefined;
}

export function makeKeyCheck({ keys, clock, signals }: KeyCheckDeps): KeyCheck {
  const trusted = new Map<string, { readonly until: number; readonly record: ApiKeyRecord }>();
  /** Keys that were good within the hour: they are looked up whatever else comes from their address. */
  const good = new Map<string, number>();
  const ended = new Map<string, { readonly until: number; readonly answer: Promise<boolean> }>();
  const failures = makeFailureBudget(clock);
  const notes = makeKeyNotes({ keys, clock, signals });

  /** What is unknown and what has another secret take the same way and get the same answer. */
  async function lookUp(rawKey: string): Promise<ApiKeyRecord | undefined> {
    const hash = keyHash(rawKey);
    const known = trusted.get(hash);
    if (known !== undefined && known.until > clock.now()) return known.record;
    const id = apiKeySchema.safeParse(rawKey).success ? rawKey.slice("hopx_live_".length, rawKey.indexOf(".")) : null;
    const record = id === null ? undefined : await keys.get(id);
    if (!equal(record?.hash ?? nobodysHash, hash) || record === undefined) return undefined;
    if (trusted.size >= maxTrusted) trusted.clear();
    trusted.set(hash, { until: clock.now() + trustMs, record });
    return record;
  }

  function refuse(shown: KeyShown, message: string, record?: ApiKeyRecord): BulkheadError {
    const error = new BulkheadError("INVALID_API_KEY", message);
    const key = record === undefined ? undefined : { projectId: record.projectId, keyId: record.id };
    if (key !== undefined) refused.set(error, key);
    const known = { projectId: key?.projectId ?? null, keyId: key?.keyId ?? null };
    signals?.raise({ type: "auth.refused", code: error.code, ...shown, ...known });
    return error;
  }

  function requireAlive(record: ApiKeyRecord, shown: KeyShown): void {
    const { id: keyId, projectId } = record;
    const { sourceIp } = shown;
    const dead = (state: "revoked" | "expired", message: string) => {
      signals?.raise({ type: "key.dead_used", projectId, keyId, state, sourceIp });
      return refuse(shown, message, record);
    };
    if (record.revokedAt !== null) throw dead("revoked", "This API key was revoked. Use another.");
    if (record.expiresAt === null || record.expiresAt > clock.now()) return;
    if (record.replacedBy !== null)
      throw dead("expired", "This API key was replaced. Use the one that took its place.");
    throw dead("expired", "This API key has expired. Create another with `bulkhead keys create`.");
  }

  return {
    async authenticate(rawKey, shown = { sourceIp: null, plane: "control" }) {
      const source = shown.sourceIp ?? "unknown";
      const wait = wasGood(rawKey) ? 0 : failures.take(source);
      if (wait > 0) throw tooMany(wait);
      const record = await lookUp(rawKey);
      if (record?.decoyFor != null) {
        signals?.raise({
          type: "decoy.used",
          projectId: record.projectId,
          sandboxId: record.decoyFor,
          sourceIp: shown.sourceIp,
        });
      }
      if (record === undefined || record.decoyFor !== null) throw refuse(shown, "Unknown API key.");
      requireAlive(record, shown);
      if (!wasGood(rawKey)) failures.giveBack(source);
      if (good.size >= maxTrusted) good.clear();
      good.set(record.hash, clock.now() + goodMs);
      notes.used(record);
      const { projectId, id: keyId, scopes, environment, limits } = record;
      return { projectId, keyId, scopes, environment, ...(limits !== null && { limits }) };
    },
    revoked(keyId) {
      const now = clock.now();
      const known = ended.get(keyId);
      if (known !== undefined && known.until > now) return known.answer;
      if (ended.size >= maxTrusted) ended.clear();
      const answer = keys.get(keyId).then((record) => record?.revokedAt != null);
      ended.set(keyId, { until: now + trustMs, answer });
      answer.catch(() => ended.delete(keyId));
      return answer;
    },
    forget() {
      trusted.clear();
      ended.clear();
    },
  };

  function wasGood(rawKey: string): boolean {
    return (good.get(keyHash(rawKey)) ?? 0) > clock.now();
  }
}

/** Of no key: compared with, so that what is unknown takes as long as what is wrong. */
const nobodysHash = keyHash("nobody");

function equal(left: string, right: string): boolean {
  const [a, b] = [Buffer.from(left), Buffer.from(right)];
  return a.length === b.length && timingSafeEqual(a, b);
}

function tooMany(seconds: number): BulkheadError {
  return new BulkheadError(
    "RATE_LIMIT_EXCEEDED",
    "Too many wrong API keys came from this address. Wait, then try again.",
    {
      details: { retry_after_seconds: seconds },
    },
  );
}
