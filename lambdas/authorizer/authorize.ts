import { toBulkheadError } from "#contracts/errors.ts";
import type { Principal } from "#core/model.ts";

/** The part of API Gateway's HTTP API authorizer event (payload 2.0) that is read. Header names arrive in lower case. */
export interface AuthorizerEvent {
  readonly headers?: Readonly<Record<string, string | undefined>>;
}

/** API Gateway's simple response; `context` reaches the function behind it. */
export interface AuthorizerResult {
  readonly isAuthorized: boolean;
  readonly context: Readonly<Record<string, string>>;
}

/** Answers yes with the principal, or no for an unknown, expired or revoked key. Any other failure is thrown: API Gateway then answers 500 and caches nothing. */
export async function authorize(
  event: AuthorizerEvent,
  authenticate: (rawKey: string) => Promise<Principal>,
): Promise<AuthorizerResult> {
  const headers = event.headers ?? {};
  const rawKey = headers["x-api-key"] ?? headers["authorization"]?.replace(/^Bearer\s+/i, "");
  if (rawKey === undefined) return { isAuthorized: false, context: {} };
  try {
    const { projectId, keyId, scopes } = await authenticate(rawKey);
    return { isAuthorized: true, context: { projectId, keyId, scopes: scopes.join(",") } };
  } catch (thrown) {
    if (toBulkheadError(thrown).status === 401) return { isAuthorized: false, context: {} };
    throw thrown;
  }
}
