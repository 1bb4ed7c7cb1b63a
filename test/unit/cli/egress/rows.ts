import type { EgressPages, EgressRow } from "#cli/egress/rows.ts";
import { now } from "../support.ts";

export function aRow(id: string, changes: Partial<EgressRow> = {}): EgressRow {
  return {
    id,
    kind: "connection",
    connection: null,
    state: "closed",
    started_at: "2026-11-22T11:59:00.000Z",
    ended_at: "2026-11-22T11:59:01.500Z",
    duration_ms: 1500,
    sandbox_id: "1763382095i648uu1oab",
    instance_id: "i0123456789abcdef",
    protocol: "connect",
    inside: "tls",
    host: "pypi.org",
    port: 443,
    address: "151.101.0.223",
    method: null,
    decision: "allow",
    rule: "pypi.org",
    reason: "on the allow-list",
    policy_version: 1,
    bytes_in: 812,
    bytes_out: 130_000,
    requests: 0,
    secrets: [],
    ...changes,
  };
}

export const open = { state: "open", ended_at: null, duration_ms: null } as const;

/** Pages of two rows; `asked` is what was asked for. */
export function pagesOf(rows: readonly EgressRow[], asked: unknown[] = []): EgressPages {
  return async (query, limit, cursor) => {
    asked.push({ ...query, limit, cursor });
    const from = Number(cursor ?? 0);
    const data = rows.slice(from, from + Math.min(limit, 2));
    return { data, next_cursor: from + 2 < rows.length ? String(from + 2) : null, at: now };
  };
}
