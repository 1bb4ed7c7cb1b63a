import * as z from "zod";
import { requestIdSchema, timestampSchema } from "./shared.ts";

export const auditOutcomes = ["allowed", "refused", "failed"] as const;

/** `GET /v1/audit`. */
export const listAuditQuerySchema = z.object({
  limit: z.coerce.number().int().min(1).max(1000).default(100),
  cursor: z.string().max(256).optional(),
  /** Oldest first with `oldest`. */
  order: z.enum(["newest", "oldest"]).default("newest"),
  /** What it was done to: a sandbox, a key, a secret. */
  target: z.string().max(256).optional(),
  /** Key id, `iam:` and a role, `token:` and a sandbox, `system`. */
  actor: z.string().max(512).optional(),
  /** e.g. `sandbox.create`, or `sandbox.` for all of them. */
  action: z.string().max(64).optional(),
  outcome: z.enum(auditOutcomes).optional(),
  since: z.iso.datetime({ offset: true }).optional(),
  until: z.iso.datetime({ offset: true }).optional(),
});

/** One event as people read it. */
export const auditEventViewSchema = z.object({
  seq: z.number().int(),
  hash: z.string(),
  at: timestampSchema,
  actor: z.string(),
  scopes: z.array(z.string()),
  action: z.string(),
  target: z.string().nullable(),
  outcome: z.enum(auditOutcomes),
  request_id: z.string().nullable(),
  source_ip: z.string().nullable(),
  latency_ms: z.number().nullable(),
  details: z.record(z.string(), z.unknown()),
});
export type AuditEventView = z.infer<typeof auditEventViewSchema>;

export const auditListSchema = z.object({
  object: z.literal("list"),
  data: z.array(auditEventViewSchema),
  has_more: z.boolean(),
  next_cursor: z.string().nullable(),
  request_id: requestIdSchema,
});

/** `GET /v1/audit/export`: events exactly as their hashes were made. */
export const exportAuditQuerySchema = z.object({
  from_seq: z.coerce.number().int().min(1).max(1e14).default(1),
  limit: z.coerce.number().int().min(1).max(5000).default(2000),
});

/** An event with its place in the chain: `hash` is SHA-256 over `prev`, `seq` and the event's canonical JSON (docs/audit.md). */
export const chainedEventSchema = z.object({
  seq: z.number().int(),
  prev: z.string(),
  hash: z.string(),
  event: z.record(z.string(), z.unknown()),
});

/** Signed (ES256) over the canonical JSON of everything but `signature`. */
export const checkpointSchema = z.object({
  projectId: z.string(),
  seq: z.number().int(),
  hash: z.string(),
  at: z.number(),
  keyId: z.string(),
  signature: z.string(),
});

export const auditExportSchema = z.object({
  records: z.array(chainedEventSchema),
  /** Where to go on; null at the end. */
  next_seq: z.number().int().nullable(),
  request_id: requestIdSchema,
});
export const checkpointsSchema = z.object({ checkpoints: z.array(checkpointSchema), request_id: requestIdSchema });
export const checkpointAnswerSchema = z.object({
  /** null while nothing is on record. */
  checkpoint: checkpointSchema.nullable(),
  request_id: requestIdSchema,
});
export const auditKeySchema = z.object({
  /** SPKI, PEM. */
  public_key: z.string(),
  project_id: z.string(),
  request_id: requestIdSchema,
});
