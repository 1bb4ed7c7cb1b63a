import * as z from "zod";
import { requestIdSchema, timestampSchema } from "./shared.ts";

/** `open`: let out and not ended. `closed`: ended, or refused. `interrupted`: was open when its proxy was killed; bytes and end unknown. */
export const connectionStates = ["open", "closed", "interrupted"] as const;

/**
 * One connection out of a sandbox, or one that was refused; `kind: "request"`: a request that was refused inside of a connection that
 * goes on, which `connection` names.
 */
export const egressRowSchema = z.object({
  id: z.string(),
  kind: z.enum(["connection", "request"]),
  connection: z.string().nullable(),
  state: z.enum(connectionStates),
  started_at: timestampSchema,
  ended_at: timestampSchema.nullable(),
  duration_ms: z.number().nullable(),
  /** null while the instance belonged to no sandbox. */
  sandbox_id: z.string().nullable(),
  instance_id: z.string(),
  /** How the sandbox asked. */
  protocol: z.enum(["connect", "http", "socks5"]),
  /** What was found inside: `opaque` bytes, `tls` that was passed on untouched, `http` that was seen, `https` that was ended here. null: refused before. */
  inside: z.enum(["opaque", "tls", "http", "https"]).nullable(),
  /** "" where none could be read. */
  host: z.string(),
  port: z.number().int(),
  /** What was connected to. */
  address: z.string().nullable(),
  /** Of the first request, where it was seen. */
  method: z.string().nullable(),
  decision: z.enum(["allow", "deny"]),
  /** The rule that decided, as text; null where none did. */
  rule: z.string().nullable(),
  reason: z.string(),
  policy_version: z.number().int().nullable(),
  /** Bytes from the outside to the sandbox. */
  bytes_in: z.number(),
  /** Bytes from the sandbox to the outside. */
  bytes_out: z.number(),
  /** Requests that were seen. */
  requests: z.number().int(),
  /** Names of the brokered secrets that were put in. */
  secrets: z.array(z.string()),
});
export type EgressRowView = z.infer<typeof egressRowSchema>;

export const egressListSchema = z.object({
  object: z.literal("list"),
  data: z.array(egressRowSchema),
  has_more: z.boolean(),
  next_cursor: z.string().nullable(),
  request_id: requestIdSchema,
});

/** Most rows of one page. A larger `limit` is brought down to it. */
export const maxEgressPage = 1_000;

/** Epoch milliseconds, or RFC 3339. */
const momentSchema = z.union(
  [
    z
      .string()
      .regex(/^\d{1,15}$/)
      .transform(Number),
    z.iso.datetime({ offset: true }).transform((text) => Date.parse(text)),
  ],
  "is not a time such as 2026-11-23T09:00:00Z, or milliseconds since 1970",
);

/** `GET /v1/egress`. Empty values count as absent. */
export const listEgressQuerySchema = z.object({
  limit: z.coerce.number().int().min(1).default(100),
  cursor: z.string().max(4096).optional(),
  sandbox: z.string().max(64).optional(),
  /** A name, or `*.` and a name for those below it. */
  host: z
    .string()
    .max(255)
    .transform((text) => text.toLowerCase().replace(/\.$/, ""))
    .optional(),
  decision: z.enum(["allow", "deny"]).optional(),
  state: z.enum(connectionStates).optional(),
  /** Recorded at or after: when the connection ended, or began while it is open. */
  since: momentSchema.optional(),
  /** Recorded before. */
  until: momentSchema.optional(),
});
