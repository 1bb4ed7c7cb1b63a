import * as z from "zod";
import { requestIdSchema, timestampSchema } from "./shared.ts";

/** A section of docs/runbooks.md for each: its heading has dashes for dots and underscores. */
export const alertRuleNames = [
  "auth.refused",
  "key.dead_used",
  "key.overdue",
  "egress.denied",
  "decoy.used",
  "instance.leaked",
  "audit.broken",
  "spend.near",
  "alerts.suppressed",
] as const;
export const alertSeverities = ["info", "warning", "critical"] as const;

/** What somebody should look at: equal findings of one hour. */
export const alertSchema = z.object({
  object: z.literal("alert"),
  id: z.string(),
  rule: z.enum(alertRuleNames),
  severity: z.enum(alertSeverities),
  /** Whose it is; `platform`: the deployment's own. */
  scope: z.enum(["project", "platform"]),
  /** Key id, sandbox, instance or address. */
  subject: z.string(),
  title: z.string(),
  /** What was seen, what to do first, and where the rest stands. */
  text: z.string(),
  runbook: z.string(),
  first_at: timestampSchema,
  last_at: timestampSchema,
  count: z.number().int(),
  acknowledged_at: timestampSchema.nullable(),
  acknowledged_by: z.string().nullable(),
});
export type AlertView = z.infer<typeof alertSchema>;

export const alertListSchema = z.object({
  object: z.literal("list"),
  data: z.array(alertSchema),
  has_more: z.boolean(),
  next_cursor: z.string().nullable(),
  request_id: requestIdSchema,
});

export const alertAnswerSchema = alertSchema.extend({ request_id: requestIdSchema });

/** `GET /v1/alerts`. */
export const listAlertsQuerySchema = z.object({
  limit: z.coerce.number().int().min(1).default(50),
  cursor: z.string().max(512).optional(),
  /** Only those that nobody has acknowledged. */
  open: z.enum(["true", "false"]).default("false"),
  rule: z.enum(alertRuleNames).optional(),
});
export const maxAlertPage = 200;
