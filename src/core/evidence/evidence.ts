import { type Evidence, evidenceFormat } from "#contracts/control/evidence.ts";
import { BulkheadError } from "#contracts/errors.ts";
import { toRfc3339 } from "#contracts/time.ts";
import { requireAccess } from "../access.ts";
import { operationOf } from "../audit.ts";
import type { CoreDeps } from "../deps.ts";
import { findSandbox } from "../find.ts";
import type { Principal, RequestContext, SandboxRecord } from "../model.ts";
import type { ChainedEvent } from "../ports.ts";
import { auditOf, egressOf } from "./collect.ts";
import { digestsOf } from "./digests.ts";
import { actorsOf, policiesOf, sandboxFacts, secretsOf } from "./facts.ts";

export interface EvidenceService {
  /**
   * Everything on record of a sandbox, signed; of an ended one for as long as its record or its audit events exist.
   * @throws BulkheadError FORBIDDEN | SANDBOX_NOT_FOUND
   */
  bundle(principal: Principal, id: string, context: RequestContext): Promise<Evidence>;
}

const maxRows = 50_000;
const defaultBytes = 64 * 1024 * 1024;

export function makeEvidenceService({
  ports,
  audit,
  config,
}: Pick<CoreDeps, "ports" | "audit" | "config">): EvidenceService {
  const { sandboxes, auditChain, egress, clock } = ports;
  const room = { rows: maxRows, bytes: Math.floor((config.evidenceBytes ?? defaultBytes) / 2) };

  /** undefined: its record is gone, or it never was; what is on record says which. */
  async function recordOf(principal: Principal, id: string): Promise<SandboxRecord | undefined> {
    const permission = "audit:read";
    try {
      return await findSandbox(sandboxes, { principal, permission, id });
    } catch (thrown) {
      // Which environment it was of is not known any more: only who may reach all of them goes on.
      const goes = thrown instanceof BulkheadError && thrown.code === "SANDBOX_NOT_FOUND";
      if (!goes || principal.environment !== null || (await sandboxes.get(id)) !== undefined) throw thrown;
      return undefined;
    }
  }

  async function bundle(principal: Principal, id: string): Promise<Evidence> {
    requireAccess(principal, "audit:read");
    const { projectId } = principal;
    const record = await recordOf(principal, id);
    const events = await auditOf(auditChain, projectId, id, room);
    if (record === undefined && !events.items.some(isOfItsLife)) {
      throw new BulkheadError("SANDBOX_NOT_FOUND", `Sandbox ${id} not found`);
    }
    // After the list, so that it covers all of it.
    const checkpoint = (await auditChain.checkpoint(projectId)) ?? null;
    const rows = await egressOf(egress, projectId, id, room);
    const policies = policiesOf(events.items, record);
    const contents = {
      format: evidenceFormat,
      made_at: toRfc3339(clock.now()),
      project_id: projectId,
      sandbox_id: id,
      sandbox: record === undefined ? null : sandboxFacts(record),
      audit: events.items,
      checkpoint,
      egress: rows.items,
      network_policies: policies,
      secrets: secretsOf(record, events.items, rows.items),
      ...actorsOf(events.items, record),
      counts: { audit: events.items.length, egress: rows.items.length, network_policies: policies.length },
      truncated: { audit: events.truncated, egress: rows.truncated },
    };
    const public_key = await auditChain.publicKeyPem();
    const signed = await auditChain.signed(asJson({ ...contents, digests: digestsOf(asJson(contents)), public_key }));
    return signed as unknown as Evidence;
  }

  return {
    bundle: (principal, id, context) =>
      audit.aroundRead(operationOf(principal, context, "evidence.get", id), () => bundle(principal, id)),
  };
}

/** What only one of this project has: others' ids stand in refused events. */
function isOfItsLife({ event }: ChainedEvent): boolean {
  return event.outcome === "allowed" && (event.action === "sandbox.create" || event.action === "sandbox.end");
}

/** As it arrives: members that are undefined are gone. */
function asJson<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}
