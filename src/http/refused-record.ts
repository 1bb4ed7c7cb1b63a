import type { MiddlewareHandler } from "hono";
import { routePath } from "hono/route";
import { platformProject } from "#core/audit.ts";
import { refusedKeyOf } from "#core/keys.ts";
import type { ControlDependencies } from "./dependencies.ts";
import type { ControlEnv } from "./request-state.ts";

/**
 * Records what was refused before any operation could record itself: no valid key, a malformed request, a path where nothing is.
 * Stands inside of the request's log and outside of authentication.
 */
export function refusedRecord({ platform, config }: ControlDependencies): MiddlewareHandler<ControlEnv> {
  const sourceIp = config.sourceIp ?? (() => null);
  return async (c, next) => {
    await next();
    const { status } = c.res;
    if (status < 400 || c.get("audited") === true) return;
    const principal = c.get("principal") ?? refusedKeyOf(c.error);
    const operation = {
      projectId: principal?.projectId ?? platformProject,
      actor: principal?.keyId ?? "nobody",
      scopes: c.get("principal")?.scopes ?? [],
      action: status === 401 ? "auth.refuse" : "request.refuse",
      target: null,
      context: { requestId: c.get("requestId"), sourceIp: sourceIp(c.env), userAgent: null },
      startedAt: c.get("startedAt"),
    };
    const more = { method: c.req.method, route: routePath(c, -1), code: c.get("refusal") ?? String(status) };
    platform.audit.note(operation, status < 500 ? "refused" : "failed", more);
  };
}
