import type { Context } from "hono";
import { BulkheadError, type ErrorCode } from "#contracts/errors.ts";
import type { Principal, RequestContext } from "#core/model.ts";

/** What middleware leaves for handlers. */
export interface ControlEnv {
  Variables: {
    requestId: string;
    /** When it arrived. */
    startedAt: number;
    /** Whether the operation it asks for records itself. */
    audited?: true;
    /** Code of the error that is answered. */
    refusal?: ErrorCode;
    /** Absent until the caller is authenticated. */
    principal?: Principal;
  };
}

export type ControlContext = Context<ControlEnv, string>;

/** Circumstances of the request for the operation that it asks for, which records itself. Text from headers is cut: it is stored. */
export function requestContext(c: ControlContext, sourceIp: (bindings: unknown) => string | null): RequestContext {
  c.set("audited", true);
  return {
    requestId: c.get("requestId"),
    startedAt: c.get("startedAt"),
    sourceIp: sourceIp(c.env),
    userAgent: c.req.header("user-agent")?.slice(0, 256) ?? null,
  };
}

/** Who asks. Refuses rather than serve a route that was mounted before authentication. */
export function principalOf(c: ControlContext): Principal {
  const principal = c.get("principal");
  if (principal !== undefined) return principal;
  throw new BulkheadError("AUTHENTICATION_REQUIRED", "Send an API key as X-API-Key or as Authorization: Bearer <key>.");
}
