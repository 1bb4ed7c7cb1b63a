import type { MiddlewareHandler } from "hono";
import { routePath } from "hono/route";
import { makeRequestId } from "#contracts/ids.ts";
import type { ControlDependencies } from "./dependencies.ts";
import type { ControlEnv } from "./request-state.ts";

/** Gives each request its id, puts it on each answer, and writes one line when the answer is ready. Paths are logged as patterns: ids stay out. */
export function requestLog({ logger, clock }: ControlDependencies): MiddlewareHandler<ControlEnv> {
  return async (c, next) => {
    const startedAt = clock.now();
    const requestId = makeRequestId(clock);
    c.set("requestId", requestId);
    c.set("startedAt", startedAt);
    c.header("X-Request-ID", requestId);
    await next();
    const principal = c.get("principal");
    logger.info("request", {
      requestId,
      method: c.req.method,
      route: routePath(c, -1),
      status: c.res.status,
      ms: clock.now() - startedAt,
      projectId: principal?.projectId,
      keyId: principal?.keyId,
    });
  };
}
