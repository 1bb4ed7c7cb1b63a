import * as z from "zod";
import { chainedEventSchema, checkpointSchema } from "./audit.ts";

export const evidenceFormat = "bulkhead-evidence-1";

/**
 * `GET …/evidence`: everything on record of one sandbox, signed (ES256 over the canonical JSON of everything but `signature`). `audit`
 * and `egress` hold what is stored, member for member. Times in them are milliseconds since 1970.
 */
export const evidenceSchema = z.object({
  format: z.literal(evidenceFormat),
  made_at: z.string(),
  project_id: z.string(),
  sandbox_id: z.string(),
  /** null: its own record is gone, what else there is follows. */
  sandbox: z.record(z.string(), z.unknown()).nullable(),
  /** Oldest first, with their places in the project's chain. */
  audit: z.array(chainedEventSchema),
  /** Signed after the last of `audit`. */
  checkpoint: checkpointSchema.nullable(),
  /** Newest first. */
  egress: z.array(z.record(z.string(), z.unknown())),
  network_policies: z.array(z.record(z.string(), z.unknown())),
  /** Names and references, never values. */
  secrets: z.object({
    brokered: z.array(z.record(z.string(), z.unknown())),
    in_env: z.array(z.string()),
    /** Put into requests on the way out. */
    used: z.array(z.string()),
  }),
  actors: z.array(z.string()),
  keys: z.array(z.string()),
  counts: z.record(z.string(), z.number()),
  /** Whether there is more than a bundle holds. */
  truncated: z.object({ audit: z.boolean(), egress: z.boolean() }),
  /** SHA-256 of each part's canonical JSON. */
  digests: z.record(z.string(), z.string()),
  /** SPKI, PEM. Says which key signed; verify with one that was kept elsewhere. */
  public_key: z.string(),
  keyId: z.string(),
  signature: z.string(),
});
export type Evidence = z.infer<typeof evidenceSchema>;
