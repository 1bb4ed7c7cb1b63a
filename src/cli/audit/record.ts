import type * as z from "zod";
import {
  auditExportSchema,
  auditKeySchema,
  auditListSchema,
  checkpointAnswerSchema,
  checkpointsSchema,
} from "#contracts/control/audit.ts";
import { call, type Peer } from "../http.ts";

export type AuditPage = z.infer<typeof auditListSchema>;
export type Exported = z.infer<typeof auditExportSchema>["records"][number];
export type SignedCheckpoint = z.infer<typeof checkpointsSchema>["checkpoints"][number];

/** The audit record as the platform serves it. */
export interface AuditRecord {
  page(query: Readonly<Record<string, string>>, signal?: AbortSignal): Promise<AuditPage>;
  /** All of it from there on, oldest first. */
  records(fromSeq: number): AsyncIterable<Exported>;
  checkpoints(): Promise<readonly SignedCheckpoint[]>;
  /** Signs where it stands now. */
  checkpoint(): Promise<SignedCheckpoint | null>;
  key(): Promise<{ readonly pem: string; readonly projectId: string }>;
}

export function auditRecord(peer: Peer): AuditRecord {
  const exportPage = (fromSeq: number) =>
    call(peer, "GET", `/v1/audit/export?from_seq=${fromSeq}`, auditExportSchema, { timeoutMs: 120_000 });
  return {
    page: (query, signal) =>
      call(peer, "GET", `/v1/audit?${new URLSearchParams(query).toString()}`, auditListSchema, {
        ...(signal !== undefined && { signal }),
      }),
    async *records(fromSeq) {
      for (let next: number | null = fromSeq; next !== null; ) {
        const page: z.infer<typeof auditExportSchema> = await exportPage(next);
        yield* page.records;
        next = page.next_seq;
      }
    },
    checkpoints: async () => (await call(peer, "GET", "/v1/audit/checkpoints", checkpointsSchema)).checkpoints,
    checkpoint: async () => (await call(peer, "POST", "/v1/audit/checkpoints", checkpointAnswerSchema)).checkpoint,
    async key() {
      const { public_key, project_id } = await call(peer, "GET", "/v1/audit/public-key", auditKeySchema);
      return { pem: public_key, projectId: project_id };
    },
  };
}
