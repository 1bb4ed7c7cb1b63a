import { createHash, timingSafeEqual } from "node:crypto";
import { permissionsOf, type Scope } from "#contracts/access.ts";
import { BulkheadError } from "#contracts/errors.ts";
import { apiKeySchema, makeKeyId } from "#contracts/ids.ts";
import { requireAccess } from "./access.ts";
import { type Audit, operationOf } from "./audit.ts";
import type { ApiKeyRecord, Principal, RequestContext } from "./model.ts";
import type { Clock, KeyStore } from "./ports.ts";

/** A verified key is trusted this long without another look: a revocation takes effect within it. */
const trustMs = 5_000;
/** Last use is written at most this often per key. */
const usedEveryMs = 60_000;
const defaultExpirySeconds = 90 * 86_400;

export interface NewKey {
  readonly name: string;
  /** null: never; left out: 90 days. */
  readonly expiresInSeconds?: number | null;
  readonly scopes?: readonly Scope[];
}

export interface KeyService {
  /** @throws BulkheadError INVALID_API_KEY */
  authenticate(rawKey: string): Promise<Principal>;
  /** The key is in the answer and nowhere else, ever. */
  create(
    principal: Principal,
    request: NewKey,
    context: RequestContext,
  ): Promise<{ readonly record: ApiKeyRecord; readonly key: string }>;
  list(principal: Principal, context: RequestContext): Promise<readonly ApiKeyRecord[]>;
  /** @throws BulkheadError RESOURCE_NOT_FOUND */
  revoke(principal: Principal, id: string, context: RequestContext): Promise<void>;
  /** The first key of a project, made by the platform itself. */
  bootstrap(request: {
    readonly projectId: string;
    readonly name: string;
    /** @default null: it does not expire */
    readonly expiresInSeconds?: number | null;
  }): Promise<{ readonly record: ApiKeyRecord; readonly key: string }>;
}

export interface KeyDeps {
  readonly keys: KeyStore;
  readonly audit: Audit;
  readonly clock: Clock;
}

const sha256 = (text: string) => createHash("sha256").update(text).digest("base64url");

export function makeKeyService(deps: KeyDeps): KeyService {
  const { keys, audit, clock } = deps;
  const trusted = new Map<string, { readonly until: number; readonly record: ApiKeyRecord }>();
  const usedAt = new Map<string, number>();

  async function issue(projectId: string, request: NewKey): Promise<{ record: ApiKeyRecord; key: string }> {
    const now = clock.now();
    const id = makeKeyId(clock);
    const key = `hopx_live_${id}.${Buffer.from(clock.random(32)).toString("base64url")}`;
    const seconds = request.expiresInSeconds === undefined ? defaultExpirySeconds : request.expiresInSeconds;
    const record: ApiKeyRecord = {
      id,
      hash: sha256(key),
      name: request.name,
      projectId,
      scopes: request.scopes ?? ["manage"],
      createdAt: now,
      expiresAt: seconds === null ? null : now + seconds * 1000,
      environment: null,
      rotateAt: seconds === null ? null : now + seconds * 1000,
      replacedBy: null,
      limits: null,
      decoyFor: null,
      revokedAt: null,
      lastUsedAt: null,
    };
    if ((await keys.insert(record)) === "lost")
      throw new BulkheadError("CONFLICT", "Key id taken. Repeat the request.");
    return { record, key };
  }

  async function lookUp(rawKey: string): Promise<ApiKeyRecord> {
    const hash = sha256(rawKey);
    const known = trusted.get(hash);
    if (known !== undefined && known.until > clock.now()) return known.record;
    const parsed = apiKeySchema.safeParse(rawKey);
    const record = parsed.success ? await keys.get(rawKey.slice("hopx_live_".length, rawKey.indexOf("."))) : undefined;
    if (record === undefined || !equal(record.hash, hash)) throw invalid("Unknown API key.");
    if (trusted.size > 10_000) trusted.clear();
    trusted.set(hash, { until: clock.now() + trustMs, record });
    return record;
  }

  function noteUse(id: string): void {
    const now = clock.now();
    if ((usedAt.get(id) ?? 0) + usedEveryMs > now) return;
    usedAt.set(id, now);
    // Last use is a courtesy: a request never fails or waits for it.
    keys.markUsed(id, now).catch(() => usedAt.delete(id));
  }

  return {
    async authenticate(rawKey) {
      const record = await lookUp(rawKey);
      if (record.revokedAt !== null) throw invalid("This API key was revoked. Use another.");
      if (record.expiresAt !== null && record.expiresAt <= clock.now()) {
        throw invalid("This API key has expired. Create another with `bulkhead keys create`.");
      }
      noteUse(record.id);
      return { projectId: record.projectId, keyId: record.id, scopes: record.scopes, environment: record.environment };
    },
    create: (principal, request, context) =>
      audit.around({ ...operationOf(principal, context, "key.create", null), details: { name: request.name } }, () => {
        requireAccess(principal, "keys:write");
        for (const permission of permissionsOf(request.scopes ?? [])) requireAccess(principal, permission);
        return issue(principal.projectId, request);
      }),
    list: (principal, context) =>
      audit.aroundRead(operationOf(principal, context, "key.list", null), () => {
        requireAccess(principal, "keys:read");
        return keys.list(principal.projectId);
      }),
    revoke: (principal, id, context) =>
      audit.around(operationOf(principal, context, "key.revoke", id), async () => {
        requireAccess(principal, "keys:write");
        const record = await keys.get(id);
        if (record?.projectId !== principal.projectId)
          throw new BulkheadError("RESOURCE_NOT_FOUND", `API key ${id} not found`);
        await keys.revoke(id, clock.now());
        trusted.clear();
      }),
    bootstrap: async ({ projectId, name, expiresInSeconds = null }) => {
      const issued = await issue(projectId, { name, scopes: ["admin"], expiresInSeconds });
      await audit.allowed({
        projectId,
        actor: "system",
        action: "key.bootstrap",
        target: issued.record.id,
        context: null,
      });
      return issued;
    },
  };
}

function equal(left: string, right: string): boolean {
  const [a, b] = [Buffer.from(left), Buffer.from(right)];
  return a.length === b.length && timingSafeEqual(a, b);
}

function invalid(message: string): BulkheadError {
  return new BulkheadError("INVALID_API_KEY", message);
}
