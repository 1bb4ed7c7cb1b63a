import { type OpenAPIHono, z } from "@hono/zod-openapi";
import type { Health } from "#contracts/control/shared.ts";
import { addAccountRoutes } from "./account/account-routes.ts";
import { addAlertRoutes } from "./alert-routes.ts";
import { addApiKeyRoutes } from "./api-key-routes.ts";
import { addAuditRoutes } from "./audit-routes.ts";
import { authentication } from "./authentication.ts";
import { addCapacityRoute } from "./capacity-route.ts";
import type { ControlDependencies } from "./dependencies.ts";
import { addEgressRoutes } from "./egress-routes.ts";
import { answerFailure } from "./failure.ts";
import { openApiDocument } from "./openapi-document.ts";
import { addQuarantineRoutes } from "./quarantine-routes.ts";
import { refusedRecord } from "./refused-record.ts";
import { requestLog } from "./request-log.ts";
import type { ControlContext, ControlEnv } from "./request-state.ts";
import { makeRoutes } from "./routes.ts";
import { addSandboxRoutes } from "./sandbox-routes.ts";
import { addSecretRoutes } from "./secret-routes.ts";
import { addTemplateRoutes } from "./template-routes.ts";
import { addUnsupportedRoutes } from "./unsupported-routes.ts";
import { wire } from "./wire-schemas.ts";

/**
 * The control plane as one Hono app: a server on one machine and a function behind a gateway mount the same object.
 * Open to all are only `/health` and `/v1/openapi.json`.
 */
export function makeControlApp(deps: ControlDependencies): OpenAPIHono<ControlEnv> {
  const { platform } = deps;
  const routes = makeRoutes();
  const { app } = routes;
  app.onError((thrown, c: ControlContext) => answerFailure(thrown, c, deps));
  app.notFound((c: ControlContext) => answerFailure(routes.unserved(c.req.method, c.req.path), c, deps));
  app.use(requestLog(deps));
  app.use(refusedRecord(deps));
  const service = { method: "get", tag: "Service", open: true } as const;
  routes.add({ ...service, path: "/health", summary: "Is the service up?", answer: [200, wire.health, "It is"] }, (c) =>
    c.json({ status: "healthy" } satisfies Health),
  );
  let document: ReturnType<typeof openApiDocument> | undefined;
  routes.add(
    {
      ...service,
      path: "/v1/openapi.json",
      summary: "This document",
      answer: [200, z.record(z.string(), z.unknown()), "OpenAPI 3.1"],
    },
    (c) => {
      document ??= openApiDocument(routes);
      return c.json(document);
    },
  );
  const authenticated = authentication(platform.keys, deps.config);
  app.use("/v1/*", authenticated);
  app.use("/auth/*", authenticated);
  addSandboxRoutes(routes, deps);
  addQuarantineRoutes(routes, deps);
  addUnsupportedRoutes(routes);
  addEgressRoutes(routes, deps);
  addSecretRoutes(routes, deps);
  addAuditRoutes(routes, deps);
  addAlertRoutes(routes, deps);
  addTemplateRoutes(routes, deps);
  addApiKeyRoutes(routes, deps);
  addCapacityRoute(routes, deps);
  if (deps.config.account !== undefined) addAccountRoutes(routes, deps, deps.config.account);
  return app;
}
