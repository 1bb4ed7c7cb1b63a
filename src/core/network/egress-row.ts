import * as z from "zod";
import { connectionStates } from "#contracts/control/egress.ts";
import type { EgressRow } from "../model.ts";
import type { EgressQuery } from "../ports.ts";
import { hostMatches } from "./match.ts";

/** A row as it is kept: in the table's segments and in the journal's lines. */
export const keptRowSchema: z.ZodType<EgressRow> = z.object({
  id: z.string(),
  kind: z.enum(["connection", "request"]),
  connection: z.string().nullable(),
  state: z.enum(connectionStates),
  startedAt: z.number(),
  endedAt: z.number().nullable(),
  sandboxId: z.string().nullable(),
  projectId: z.string().nullable(),
  instanceId: z.string(),
  protocol: z.enum(["connect", "http", "socks5"]),
  inside: z.enum(["opaque", "tls", "http", "https"]).nullable(),
  host: z.string(),
  port: z.number(),
  address: z.string().nullable(),
  method: z.string().nullable(),
  decision: z.enum(["allow", "deny"]),
  rule: z.string().nullable(),
  reason: z.string(),
  policyVersion: z.number().nullable(),
  bytesIn: z.number(),
  bytesOut: z.number(),
  requests: z.number(),
  secrets: z.array(z.string()),
});

/** When a row was written: at the connection's end, or at its begin while the end is not known. */
export function recordedAt(row: Pick<EgressRow, "startedAt" | "endedAt">): number {
  return row.endedAt ?? row.startedAt;
}

/** What a proxy that was killed leaves of a connection. */
export function interrupted(row: EgressRow): EgressRow {
  return { ...row, state: "interrupted", endedAt: null };
}

export type EgressFilter = Omit<EgressQuery, "limit" | "cursor">;

export function rowMatches(row: EgressRow, filter: EgressFilter): boolean {
  const at = recordedAt(row);
  return (
    (filter.sandboxId === null || row.sandboxId === filter.sandboxId) &&
    (filter.host === null || hostMatches(filter.host, row.host)) &&
    (filter.decision === null || row.decision === filter.decision) &&
    (filter.state === null || row.state === filter.state) &&
    (filter.since === null || at >= filter.since) &&
    (filter.until === null || at < filter.until)
  );
}
