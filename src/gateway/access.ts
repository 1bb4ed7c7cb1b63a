import { BulkheadError } from "#contracts/errors.ts";
import { toRfc3339 } from "#contracts/time.ts";
import { requireAccess } from "#core/access.ts";
import type { Endpoint } from "#core/model.ts";
import type { Clock, SandboxClaims } from "#core/ports.ts";
import type { SeenCaller } from "./audit/record.ts";
import type { Credential } from "./credentials.ts";
import type { CachedDirectory } from "./directory-cache.ts";
import type { GatewayDeps, Target } from "./ports.ts";
import type { Route } from "./route.ts";

/** A sandbox whose agent can be asked. */
export interface OpenTarget extends Target {
  readonly endpoint: Endpoint;
}

export interface Admission {
  readonly sandboxId: string;
  /** Verified claims when the caller showed a token. */
  readonly claims: SandboxClaims | null;
  /** False only for the health check, which needs no credential and is no activity. */
  readonly authorised: boolean;
  /** Whether a sandbox in quarantine is looked at: its files are read, nothing else. @default false */
  readonly looks?: boolean;
}

export interface Asked {
  readonly sandboxId: string;
  /** See {@link Admission.looks}. */
  readonly looks?: boolean | undefined;
  readonly route: Route;
}

/** Told who the caller is as soon as that is known, also when it is refused then: the record names it. */
export interface Seen {
  /** Where the request came from. */
  readonly sourceIp?: string | null;
  readonly method?: string;
  caller?: SeenCaller;
}

export interface AccessRules {
  /** Who the caller is and whether the sandbox is theirs. @throws BulkheadError 401, 403, 404, 410 */
  admit(route: Route, credential: Credential | undefined, seen?: Seen): Promise<Admission>;
  /**
   * The running sandbox, for its health also a paused one: its agent answers. Waits while it is being created, unless `gone()` says
   * that nobody waits for the answer any more.
   * @throws BulkheadError SANDBOX_NOT_FOUND | SANDBOX_EXPIRED | SANDBOX_STOPPED | SANDBOX_CREATING
   */
  open(asked: Asked, gone: () => boolean): Promise<OpenTarget>;
}

type AccessDeps = Pick<GatewayDeps, "tokens" | "keys" | "clock">;

const maxCachedTokens = 10_000;

export function makeAccessRules(deps: AccessDeps, directory: CachedDirectory, holdMs: number): AccessRules {
  const verify = cachedVerify(deps);

  async function admit(route: Route, credential: Credential | undefined, seen: Seen = {}): Promise<Admission> {
    if (credential === undefined) {
      if (route.kind === "agent" && isHealth(route.path)) {
        return { sandboxId: route.sandboxId, claims: null, authorised: false };
      }
      throw new BulkheadError("AUTHENTICATION_REQUIRED", missing[route.kind]);
    }
    if (credential.kind === "key") return admitKey(deps, directory, { route, key: credential.key, seen });
    const claims = await verify(credential.token);
    const shown = { actor: `token:${claims.sandboxId}`, keyId: claims.issuedBy ?? null, scopes: ["sandboxes:exec"] };
    seen.caller = { ...shown, projectId: null };
    if (route.kind !== "root" && route.sandboxId !== claims.sandboxId) {
      throw new BulkheadError(
        "FORBIDDEN",
        "This token belongs to another sandbox. Use the token of the one you address.",
      );
    }
    const target = await directory.resolve(claims.sandboxId);
    if (target === undefined) throw notFound(claims.sandboxId);
    seen.caller = { ...shown, projectId: target.projectId };
    if (hasEnded(target)) throw ended(target);
    if (target.quarantine !== null) throw quarantined(target);
    await requireIssuer(deps, claims);
    if (target.generation !== claims.generation) {
      throw new BulkheadError(
        "TOKEN_INVALID",
        "This token was revoked. Ask for a new one with POST /v1/sandboxes/{id}/token/refresh.",
      );
    }
    return { sandboxId: claims.sandboxId, claims, authorised: true };
  }

  return { admit, open: (asked, gone) => openTarget(directory, deps.clock, holdMs, asked, gone) };
}

const missing = {
  root: "Send the sandbox's token as Authorization: Bearer <auth_token>, or name the sandbox by /s/<id>/… and send X-API-Key.",
  agent: "Send the sandbox's token as Authorization: Bearer <auth_token>, or your API key as X-API-Key.",
  preview:
    "Open this address with ?bulkhead_token=<auth_token>, or send the token as Authorization: Bearer <auth_token>.",
};

interface ShownKey {
  readonly route: Route;
  readonly key: string;
  readonly seen: Seen;
}

async function admitKey(
  deps: AccessDeps,
  directory: CachedDirectory,
  { route, key, seen }: ShownKey,
): Promise<Admission> {
  if (route.kind === "root") {
    throw new BulkheadError(
      "AUTHENTICATION_REQUIRED",
      "An API key does not name a sandbox. Address it by /s/<id>/… or send the sandbox's token.",
    );
  }
  const principal = await deps.keys.authenticate(key, { sourceIp: seen.sourceIp ?? null, plane: "data" });
  const { projectId, keyId, scopes } = principal;
  seen.caller = { projectId, actor: keyId, keyId, scopes };
  const owner = await directory.resolve(route.sandboxId);
  const own = owner?.projectId === projectId;
  const looks = own && owner.quarantine !== null && readsFiles(route, seen);
  const permission = looks ? "sandboxes:quarantine" : "sandboxes:exec";
  requireAccess(principal, permission);
  requireAccess(principal, permission, { kind: "sandbox", id: route.sandboxId, owner });
  if (owner?.quarantine != null && !hasEnded(owner) && !looks) throw quarantined(owner);
  if (looks) return { sandboxId: route.sandboxId, claims: null, authorised: true, looks };
  return { sandboxId: route.sandboxId, claims: null, authorised: true };
}

/** Files of a sandbox in quarantine are read by whoever holds it; its agent answers while everything else stands still. */
function readsFiles(route: Route, { method }: Seen): boolean {
  return route.kind === "agent" && method === "GET" && /^\/files\/(read|list|download|exists)(\?|$)/.test(route.path);
}

function quarantined(target: Target): BulkheadError {
  return new BulkheadError(
    "SANDBOX_QUARANTINED",
    'The sandbox is in quarantine. Whoever has the scope "sandboxes:quarantine" reads its files and releases it.',
    { details: { sandbox_id: target.sandboxId, quarantined_at: toRfc3339(target.quarantine?.at ?? 0) } },
  );
}

async function openTarget(
  directory: CachedDirectory,
  clock: Clock,
  holdMs: number,
  { sandboxId, route, looks = false }: Asked,
  gone: () => boolean,
): Promise<OpenTarget> {
  const also = looks || (route.kind !== "preview" && isHealth(route.path));
  const serving = also ? ["running", "paused"] : ["running"];
  const deadline = clock.now() + holdMs;
  for (let pause = 20; ; pause = Math.min(pause * 1.5, 250)) {
    const target = await directory.resolve(sandboxId);
    if (target === undefined) throw notFound(sandboxId);
    if (hasEnded(target)) throw ended(target);
    if (serving.includes(target.status) && target.endpoint !== null) return { ...target, endpoint: target.endpoint };
    if (target.status === "paused" || target.status === "stopped") throw resting(target);
    if (gone() || clock.now() >= deadline) {
      throw new BulkheadError(
        "SANDBOX_CREATING",
        "The sandbox is still being created. Repeat the request in a few seconds.",
        {
          details: { sandbox_id: sandboxId, status: target.status },
        },
      );
    }
    directory.forget(sandboxId);
    await clock.sleep(pause);
  }
}

/** A token ends with the key that it was issued to. @throws BulkheadError TOKEN_INVALID */
async function requireIssuer({ keys }: AccessDeps, { issuedBy }: SandboxClaims): Promise<void> {
  if (issuedBy === undefined || issuedBy.startsWith("iam:") || !(await keys.revoked(issuedBy))) return;
  throw new BulkheadError(
    "TOKEN_INVALID",
    "The API key that this token was issued to was revoked. Ask for a token with another key.",
  );
}

/** Signatures hold for ever, so a token is checked once; its expiry is looked at each time and its generation by the caller. */
function cachedVerify(deps: AccessDeps): (token: string) => Promise<SandboxClaims> {
  const known = new Map<string, SandboxClaims>();
  return async (token) => {
    const cached = known.get(token);
    if (cached !== undefined && deps.clock.now() < cached.expiresAt) return cached;
    known.delete(token);
    const claims = await deps.tokens.verify(token);
    if (known.size >= maxCachedTokens) known.clear();
    known.set(token, claims);
    return claims;
  };
}

export function hasEnded(target: Target): boolean {
  return target.status === "deleting" || target.status === "deleted" || target.status === "failed";
}

function isHealth(path: string): boolean {
  return path === "/health" || path.startsWith("/health?");
}

function notFound(sandboxId: string): BulkheadError {
  return new BulkheadError("SANDBOX_NOT_FOUND", `Sandbox ${sandboxId} not found`, {
    details: { sandbox_id: sandboxId },
  });
}

function resting(target: Target): BulkheadError {
  const how = target.status === "paused" ? "Resume" : "Start";
  return new BulkheadError("SANDBOX_STOPPED", `The sandbox is ${target.status}. ${how} it before you use it.`, {
    details: facts(target),
  });
}

export function ended(target: Target): BulkheadError {
  const reason = target.endReason === null ? "" : ` (${target.endReason})`;
  return new BulkheadError("SANDBOX_EXPIRED", `Sandbox ${target.sandboxId} has ended${reason}. Create a new one.`, {
    details: { ...facts(target), end_reason: target.endReason },
  });
}

function facts(target: Target): Record<string, unknown> {
  return {
    sandbox_id: target.sandboxId,
    status: target.status,
    created_at: toRfc3339(target.createdAt),
    expires_at: target.expiresAt === null ? null : toRfc3339(target.expiresAt),
  };
}
