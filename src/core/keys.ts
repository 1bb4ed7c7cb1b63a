import { BulkheadError } from "#contracts/errors.ts";
import { requireAccess } from "./access.ts";
import type { Signals } from "./alerts/signals.ts";
import { type Audit, operationOf } from "./audit.ts";
import { type KeyCheck, makeKeyCheck } from "./keys/check.ts";
import { type KeyPolicy, makeKey, type NewKey, requireGivable } from "./keys/issue.ts";
import type { ApiKeyRecord, Principal, RequestContext } from "./model.ts";
import type { Clock, KeyStore } from "./ports.ts";

export { refusedKeyOf } from "./keys/check.ts";
export type { KeyPolicy, NewKey } from "./keys/issue.ts";

/** A key and what is stored of it. The key is in the answer and nowhere else, ever. */
export interface IssuedKey {
  readonly record: ApiKeyRecord;
  readonly key: string;
}

export interface KeyService extends Pick<KeyCheck, "authenticate" | "revoked"> {
  /** @throws BulkheadError FORBIDDEN for what the caller could not do itself, INVALID_REQUEST for a life that is too long */
  create(principal: Principal, request: NewKey, context: RequestContext): Promise<IssuedKey>;
  list(principal: Principal, context: RequestContext): Promise<readonly ApiKeyRecord[]>;
  /**
   * Makes a key that takes the place of another, with its name, scopes, environment and limits; both work for `overlapSeconds`.
   * @throws BulkheadError RESOURCE_NOT_FOUND, CONFLICT for one that has ended or was replaced already
   */
  rotate(principal: Principal, id: string, overlapSeconds: number, context: RequestContext): Promise<IssuedKey>;
  /** Tokens that were issued to it end with it. @throws BulkheadError RESOURCE_NOT_FOUND */
  revoke(principal: Principal, id: string, context: RequestContext): Promise<void>;
  /** The first key of a project, made by the platform itself. */
  bootstrap(request: {
    readonly projectId: string;
    readonly name: string;
    /** @default null: it does not expire */
    readonly expiresInSeconds?: number | null;
  }): Promise<IssuedKey>;
}

export interface KeyDeps {
  readonly keys: KeyStore;
  readonly audit: Audit;
  readonly clock: Clock;
  readonly signals?: Signals | undefined;
  /** @default - keys live as long as is asked for, and should be replaced after 90 days */
  readonly policy?: KeyPolicy | undefined;
}

export function makeKeyService({ keys, audit, clock, signals, policy = {} }: KeyDeps): KeyService {
  const check = makeKeyCheck({ keys, clock, signals });

  async function insert(issued: IssuedKey): Promise<IssuedKey> {
    if ((await keys.insert(issued.record)) === "written") return issued;
    throw new BulkheadError("CONFLICT", "Key id taken. Repeat the request.");
  }

  /** One that the caller may handle. @throws BulkheadError FORBIDDEN | RESOURCE_NOT_FOUND */
  async function find(principal: Principal, id: string): Promise<ApiKeyRecord> {
    requireAccess(principal, "keys:write");
    const record = await keys.get(id);
    const owner = record === undefined || record.decoyFor !== null ? undefined : record;
    requireAccess(principal, "keys:write", { kind: "key", id, owner });
    if (record !== undefined) return record;
    throw new BulkheadError("RESOURCE_NOT_FOUND", `API key ${id.slice(0, 64)} not found`);
  }

  async function rotate(principal: Principal, id: string, overlapSeconds: number): Promise<IssuedKey> {
    const old = await find(principal, id);
    const now = clock.now();
    const ended = old.revokedAt !== null || (old.expiresAt !== null && old.expiresAt <= now);
    if (ended || old.replacedBy !== null) {
      throw new BulkheadError("CONFLICT", "This API key has ended or was replaced already. Create a new one.", {
        details: { replaced_by: old.replacedBy },
      });
    }
    const { name, scopes, environment, limits } = old;
    const seconds = old.expiresAt === null ? null : Math.round((old.expiresAt - old.createdAt) / 1000);
    const request = { name, scopes, environment, limits, expiresInSeconds: seconds };
    requireGivable(principal, request);
    const issued = await insert(makeKey(clock, policy, old.projectId, request));
    const until = Math.min(old.expiresAt ?? Number.POSITIVE_INFINITY, now + overlapSeconds * 1000);
    if ((await keys.supersede(id, issued.record.id, until)) === "lost") {
      await keys.revoke(issued.record.id, now);
      throw new BulkheadError("CONFLICT", "This API key was changed at the same moment. Look at it again.");
    }
    check.forget();
    return issued;
  }

  return {
    authenticate: (rawKey, shown) => check.authenticate(rawKey, shown),
    revoked: (keyId) => check.revoked(keyId),
    create(principal, request, context) {
      const asked = { ...request, environment: request.environment ?? principal.environment };
      const { name, scopes = ["manage"], environment } = asked;
      const operation = operationOf(principal, context, "key.create", null);
      return audit.around({ ...operation, details: { name, scopes, environment } }, () => {
        requireAccess(principal, "keys:write");
        requireGivable(principal, asked);
        return insert(makeKey(clock, policy, principal.projectId, asked));
      });
    },
    list: (principal, context) =>
      audit.aroundRead(operationOf(principal, context, "key.list", null), async () => {
        requireAccess(principal, "keys:read");
        const all = await keys.list(principal.projectId);
        return all.filter(({ environment }) => principal.environment === null || environment === principal.environment);
      }),
    rotate: (principal, id, overlapSeconds, context) =>
      audit.around({ ...operationOf(principal, context, "key.rotate", id), details: { overlapSeconds } }, () =>
        rotate(principal, id, overlapSeconds),
      ),
    revoke: (principal, id, context) =>
      audit.around(operationOf(principal, context, "key.revoke", id), async () => {
        await find(principal, id);
        await keys.revoke(id, clock.now());
        check.forget();
      }),
    bootstrap: async ({ projectId, name, expiresInSeconds = null }) => {
      const issued = await insert(makeKey(clock, {}, projectId, { name, scopes: ["admin"], expiresInSeconds }));
      const { id: target } = issued.record;
      await audit.allowed({ projectId, actor: "system", action: "key.bootstrap", target, context: null });
      return issued;
    },
  };
}
