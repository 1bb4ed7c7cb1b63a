import type { CapacityAnswer } from "#contracts/control/capacity.ts";
import { BulkheadError } from "#contracts/errors.ts";
import { toRfc3339 } from "#contracts/time.ts";
import { requireAccess } from "#core/access.ts";
import type { ControlDependencies } from "./dependencies.ts";
import { principalOf } from "./request-state.ts";
import type { Routes } from "./routes.ts";
import { wire } from "./wire-schemas.ts";

export function addCapacityRoute(routes: Routes, { config }: ControlDependencies): void {
  routes.add(
    {
      method: "get",
      path: "/v1/capacity",
      summary: "How many instances there is room for, and what decides it",
      needs: "limits:read",
      tag: "Service",
      answer: [200, wire.capacity, "Limits as they were last read"],
    },
    async (c) => {
      requireAccess(principalOf(c), "limits:read");
      const capacity = await config.capacity?.();
      if (capacity == null) {
        throw new BulkheadError("SERVICE_UNAVAILABLE", "The limits were not read yet. Try again in a minute.", {
          details: { retry_after_seconds: 60 },
        });
      }
      const { instances, boundBy, readAt, limits } = capacity;
      const answer: CapacityAnswer = {
        object: "capacity",
        instances,
        bound_by: boundBy,
        read_at: toRfc3339(readAt),
        limits: [...limits],
        request_id: c.get("requestId"),
      };
      return c.json(answer);
    },
  );
}
