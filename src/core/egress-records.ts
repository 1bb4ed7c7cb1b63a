import { requireAccess } from "./access.ts";
import { type Audit, operationOf } from "./audit.ts";
import type { EgressRow, Principal, RequestContext } from "./model.ts";
import type { EgressQuery, EgressStore, Page } from "./ports.ts";

export interface EgressService {
  /** Rows of the caller's project, newest first. @throws BulkheadError FORBIDDEN, INVALID_REQUEST for a cursor that is not ours */
  list(principal: Principal, query: EgressQuery, context: RequestContext): Promise<Page<EgressRow>>;
}

export function makeEgressService({
  egress,
  audit,
}: {
  readonly egress: EgressStore;
  readonly audit: Audit;
}): EgressService {
  return {
    list: (principal, query, context) =>
      audit.aroundRead(operationOf(principal, context, "egress.list", query.sandboxId), () => {
        requireAccess(principal, "network:read");
        return egress.list(principal.projectId, query);
      }),
  };
}
