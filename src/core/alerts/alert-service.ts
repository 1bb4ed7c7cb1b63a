import { BulkheadError } from "#contracts/errors.ts";
import { requireAccess } from "../access.ts";
import { type Audit, operationOf } from "../audit.ts";
import type { Principal, RequestContext } from "../model.ts";
import type { Clock, Page } from "../ports.ts";
import type { Alert, AlertFilter, AlertStore } from "./model.ts";

export interface AlertService {
  /** Newest first. @throws BulkheadError FORBIDDEN, INVALID_REQUEST for a cursor that is not ours */
  list(principal: Principal, filter: AlertFilter, context: RequestContext): Promise<Page<Alert>>;
  /** Says that somebody looks after it. The first one who says so stands. @throws BulkheadError FORBIDDEN | RESOURCE_NOT_FOUND */
  acknowledge(principal: Principal, id: string, context: RequestContext): Promise<Alert>;
}

export interface AlertServiceDeps {
  /** @default - there are no alerts */
  readonly alerts?: AlertStore | undefined;
  readonly audit: Audit;
  readonly clock: Pick<Clock, "now">;
}

export function makeAlertService({ alerts, audit, clock }: AlertServiceDeps): AlertService {
  return {
    list: (principal, filter, context) =>
      audit.aroundRead(operationOf(principal, context, "alert.list", null), async () => {
        requireAccess(principal, "alerts:read");
        return (await alerts?.list(principal.projectId, filter)) ?? { items: [], nextCursor: null };
      }),
    acknowledge: (principal, id, context) =>
      audit.around(operationOf(principal, context, "alert.acknowledge", id), async () => {
        requireAccess(principal, "alerts:write");
        const { projectId, keyId } = principal;
        const found = await alerts?.acknowledge(projectId, id, keyId, clock.now());
        requireAccess(principal, "alerts:write", { kind: "alert", id, owner: found && { projectId } });
        if (found !== undefined) return found;
        throw new BulkheadError("RESOURCE_NOT_FOUND", `Alert ${id.slice(0, 64)} not found`);
      }),
  };
}
