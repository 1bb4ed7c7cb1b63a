import { BulkheadError } from "#contracts/errors.ts";
import type { Route } from "./router.ts";

/** Parts of the Hopx API that this agent does not have. 4xx, never 5xx: clients resend on 5xx (contract rule 19). */
const missing = ["/execute/ipython", "/cache/*", "/metrics", "/metrics/*", "/jupyter/*"];

function notSupported(path: string): BulkheadError {
  return new BulkheadError("INVALID_REQUEST", `${path} is not supported yet. Use POST /execute or POST /commands/run.`);
}

export function unsupportedRoutes(): Route[] {
  return [
    ...missing.map(
      (path): Route => ({
        method: "ANY",
        path,
        handle(request) {
          throw notSupported(request.path);
        },
      }),
    ),
    {
      method: "ANY",
      path: "/desktop/*",
      handle() {
        throw new BulkheadError("DESKTOP_NOT_AVAILABLE", "This template has no desktop.");
      },
    },
  ];
}
