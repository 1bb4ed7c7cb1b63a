import { requireAccess } from "../access.ts";
import { type Audit, operationOf } from "../audit.ts";
import type { Principal, RequestContext } from "../model.ts";
import type { AuditChain, AuditQuery, ChainedEvent, Checkpoint, Page } from "../ports.ts";

/** The audit record of the caller's project. */
export interface AuditService {
  /** @throws BulkheadError FORBIDDEN, INVALID_REQUEST for a cursor that is not ours */
  list(principal: Principal, query: AuditQuery, context: RequestContext): Promise<Page<ChainedEvent>>;
  /** Records as they are verified, oldest first. */
  export(
    principal: Principal,
    fromSeq: number,
    limit: number,
    context: RequestContext,
  ): Promise<readonly ChainedEvent[]>;
  checkpoints(principal: Principal, context: RequestContext): Promise<readonly Checkpoint[]>;
  /** Signs where the record stands; undefined while there is nothing in it. */
  checkpoint(principal: Principal, context: RequestContext): Promise<Checkpoint | undefined>;
  /** SPKI, PEM. To be kept somewhere else before it is needed. */
  publicKey(principal: Principal, context: RequestContext): Promise<string>;
}

export function makeAuditService(chain: AuditChain, audit: Audit): AuditService {
  const reading =
    <Args extends readonly unknown[], T>(action: string, read: (projectId: string, ...args: Args) => Promise<T>) =>
    (principal: Principal, context: RequestContext, ...args: Args): Promise<T> =>
      audit.aroundRead(operationOf(principal, context, action, null), async () => {
        requireAccess(principal, "audit:read");
        return read(principal.projectId, ...args);
      });
  const list = reading("audit.list", (projectId, query: AuditQuery) => chain.list(projectId, query));
  const exported = reading("audit.export", async (projectId, fromSeq: number, limit: number) => {
    const records: ChainedEvent[] = [];
    for await (const record of chain.read(projectId, fromSeq)) {
      records.push(record);
      if (records.length === limit) break;
    }
    return records;
  });
  const checkpoints = reading("audit.list", (projectId) => chain.checkpoints(projectId));
  const checkpoint = reading("audit.checkpoint", (projectId) => chain.checkpoint(projectId));
  const publicKey = reading("audit.key", () => chain.publicKeyPem());
  return {
    list: (principal, query, context) => list(principal, context, query),
    export: (principal, fromSeq, limit, context) => exported(principal, context, fromSeq, limit),
    checkpoints,
    checkpoint,
    publicKey,
  };
}
