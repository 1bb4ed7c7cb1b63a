import { BulkheadError } from "#contracts/errors.ts";
import type { ControlDependencies } from "./dependencies.ts";
import { principalOf, requestContext } from "./request-state.ts";
import type { Routes } from "./routes.ts";
import { sandboxId } from "./sandbox-handlers.ts";

const sandboxActions = ["pause", "resume", "start", "stop"] as const;

const buildRoutes = [
  ["post", "/v1/templates/files/upload-link"],
  ["post", "/v1/templates/build"],
  ["get", "/v1/templates/build/{id}/status"],
  ["get", "/v1/templates/build/{id}/logs"],
] as const;

/**
 * Routes of the contract that this version refuses. CONFLICT and not 5xx: clients resend on 5xx (contract rule 19).
 * An unknown or ended sandbox is told first, as if the action were served.
 */
export function addUnsupportedRoutes(routes: Routes, { platform, config }: ControlDependencies): void {
  for (const action of sandboxActions) {
    routes.add(
      { method: "post", path: `/v1/sandboxes/{id}/${action}`, summary: "Not supported yet", tag: "Sandboxes" },
      async (c) => {
        const context = requestContext(c, config.sourceIp ?? (() => null));
        await platform.sandboxes.get(principalOf(c), sandboxId(c), context);
        throw unsupported(action, `The action "${action}" is not supported yet; the sandbox keeps running.`);
      },
    );
  }
  for (const [method, path] of buildRoutes) {
    routes.add({ method, path, summary: "Not supported yet", tag: "Templates" }, () => {
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
