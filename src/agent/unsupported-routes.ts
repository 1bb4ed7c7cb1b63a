import { BulkheadError } from "#contracts/errors.ts";
import type { Route } from "./router.ts";

/** Parts of the Hopx API that these templates do not have. 4xx, never 5xx: clients resend on 5xx (contract rule 19). */
export function unsupportedRoutes(): Route[] {
  return [
    {
      method: "ANY",
      path: "/desktop/*",
      handle() {
        throw new BulkheadError("DESKTOP_NOT_AVAILABLE", "This template has no desktop.");
      },
    },
  ];
}
