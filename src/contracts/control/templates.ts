import * as z from "zod";
import { requestIdSchema, timestampSchema } from "./shared.ts";

/** Whole numbers; the disk in GiB, rounded up. */
export const templateResourcesSchema = z.object({
  vcpu: z.number().int(),
  memory_mb: z.number().int(),
  disk_gb: z.number().int(),
});

/** Lists and `is_active` are never null, timestamps never empty: clients crash on either (contract §3.6). */
export const templateSchema = z.object({
  id: z.string(),
  object: z.literal("template"),
  name: z.string(),
  display_name: z.string(),
  description: z.string(),
  category: z.string(),
  language: z.string(),
  default_resources: templateResourcesSchema,
  min_resources: templateResourcesSchema,
  max_resources: templateResourcesSchema,
  features: z.array(z.string()),
  tags: z.array(z.string()),
  popularity_score: z.number().int(),
  is_active: z.boolean(),
  is_public: z.boolean(),
  status: z.enum(["pending", "building", "active", "failed"]),
  build_id: z.string(),
  /** String here, integer on a sandbox (contract rule 9). */
  organization_id: z.string(),
  created_at: timestampSchema,
  updated_at: timestampSchema,
  /** Why a failed template failed and what to do; absent otherwise. */
  problem: z.string().optional(),
  request_id: requestIdSchema.optional(),
});
export type Template = z.infer<typeof templateSchema>;

/** `GET /v1/templates`. Empty values count as absent. */
export const listTemplatesQuerySchema = z.object({
  category: z.string().max(64).optional(),
  language: z.string().max(64).optional(),
});

/** All templates in one answer: clients ignore paging here. */
export const templateListSchema = z.object({
  object: z.literal("list"),
  data: z.array(templateSchema),
  has_more: z.literal(false),
  next_cursor: z.null(),
  url: z.literal("/v1/templates"),
  request_id: requestIdSchema,
});
export type TemplateList = z.infer<typeof templateListSchema>;
