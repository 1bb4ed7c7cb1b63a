import type { ApiKeyRecord, KeyScope, Principal, RequestContext, SandboxRecord, TemplateRecord } from "#core/model.ts";
import type { Page, SandboxQuery } from "#core/ports.ts";

/** What a caller asks for, in the core's words. */
export interface CreateInput {
  readonly template: { readonly name: string } | { readonly id: string };
  readonly region?: string;
  /** null: none. */
  readonly timeoutSeconds: number | null;
  readonly idleTimeoutSeconds?: number;
  readonly maxLifetimeSeconds?: number;
  readonly internetAccess: boolean;
  /** Values are secrets: never logged. */
  readonly env: Readonly<Record<string, string>>;
}

export interface CreateContext extends RequestContext {
  /** 1 to 255 printable characters, or null when the caller sent none. */
  readonly idempotencyKey: string | null;
  /** SHA-256 of the body with sorted keys, hex. */
  readonly bodyHash: string;
  /** Aborts when the caller hung up before the answer. */
  readonly signal: AbortSignal;
}

export interface IssuedToken {
  readonly token: string;
  /** Epoch milliseconds. */
  readonly expiresAt: number;
}

/** What the control plane's routes call. `Platform` of the core has this shape, fakes of tests too. */
export interface ControlPlane {
  readonly keys: {
    /** @throws BulkheadError INVALID_API_KEY */
    authenticate(rawKey: string): Promise<Principal>;
    create(
      principal: Principal,
      request: {
        readonly name: string;
        /** null: never. */
        readonly expiresInSeconds: number | null;
        readonly scopes?: readonly KeyScope[];
      },
      context: RequestContext,
    ): Promise<{ readonly record: ApiKeyRecord; readonly key: string }>;
    list(principal: Principal, context: RequestContext): Promise<readonly ApiKeyRecord[]>;
    /** @throws BulkheadError RESOURCE_NOT_FOUND for another project's key too */
    revoke(principal: Principal, id: string, context: RequestContext): Promise<unknown>;
  };
  readonly sandboxes: {
    create(
      principal: Principal,
      input: CreateInput,
      context: CreateContext,
    ): Promise<{ readonly sandbox: SandboxRecord; readonly token: IssuedToken }>;
    /** @throws BulkheadError SANDBOX_NOT_FOUND for another project's too, SANDBOX_EXPIRED for an ended one */
    get(principal: Principal, id: string, context: RequestContext): Promise<SandboxRecord>;
    list(principal: Principal, query: SandboxQuery, context: RequestContext): Promise<Page<SandboxRecord>>;
    kill(principal: Principal, id: string, context: RequestContext): Promise<unknown>;
    /** Counts from now; null clears. */
    setTimeout(
      principal: Principal,
      id: string,
      timeoutSeconds: number | null,
      context: RequestContext,
    ): Promise<SandboxRecord>;
    refreshToken(principal: Principal, id: string, context: RequestContext): Promise<IssuedToken>;
  };
  readonly templates: {
    /** By name or id. */
    get(nameOrId: string): Promise<TemplateRecord | undefined>;
    list(): Promise<readonly TemplateRecord[]>;
  };
}
