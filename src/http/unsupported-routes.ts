import { BulkheadError } from "#contracts/errors.ts";
import { requireAccess } from "#core/access.ts";
import { principalOf } from "./request-state.ts";
import type { Routes } from "./routes.ts";

const buildRoutes = [
  ["post", "/v1/templates/files/upload-link"],
  ["post", "/v1/templates/build"],
  ["get", "/v1/templates/build/{id}/status"],
  ["get", "/v1/templates/build/{id}/logs"],
] as const;

/** Routes of the contract that this version refuses. CONFLICT and not 5xx: clients resend on 5xx (contract rule 19). */
export function addUnsupportedRoutes(routes: Routes): void {
  for (const [method, path] of buildRoutes) {
    const needs = method === "get" ? "templates:read" : "templates:write";
    routes.add({ method, path, summary: "Not supported yet", needs, tag: "Templates" }, (c) => {
      requireAccess(principalOf(c), needs);
      throw unsupported(
        "template_build",
        "Building templates is not supported yet. GET /v1/templates lists those that are served.",
      );
    });
  }
}

function unsupported(feature: string, message: string): BulkheadError {
  return new BulkheadError("CONFLICT", message, { details: { feature, supported: false } });
}
