import type { EgressRowView } from "#contracts/control/egress.ts";
import { toRfc3339 } from "#contracts/time.ts";
import type { EgressRow } from "#core/model.ts";

export function egressView(row: EgressRow): EgressRowView {
  return {
    id: row.id,
    kind: row.kind,
    connection: row.connection,
    state: row.state,
    started_at: toRfc3339(row.startedAt),
    ended_at: row.endedAt === null ? null : toRfc3339(row.endedAt),
    duration_ms: row.endedAt === null ? null : Math.max(0, row.endedAt - row.startedAt),
    sandbox_id: row.sandboxId,
    instance_id: row.instanceId,
    protocol: row.protocol,
    inside: row.inside,
    host: row.host,
    port: row.port,
    address: row.address,
    method: row.method,
    decision: row.decision,
    rule: row.rule,
    reason: row.reason,
    policy_version: row.policyVersion,
    bytes_in: row.bytesIn,
    bytes_out: row.bytesOut,
    requests: row.requests,
    secrets: [...row.secrets],
  };
}
