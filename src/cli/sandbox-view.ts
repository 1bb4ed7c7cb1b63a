import * as z from "zod";
import { sandboxListSchema, sandboxSchema, tokenSchema, wireStatuses } from "#contracts/control/sandboxes.ts";

/** What the command needs of a sandbox; the rest is handed on as it came, so that older and newer platforms will do. */
const needed = sandboxSchema
  .pick({
    id: true,
    status: true,
    template_name: true,
    public_host: true,
    preview_url: true,
    resources: true,
    internet_access: true,
    created_at: true,
    expires_at: true,
    end_at: true,
    idle_timeout_seconds: true,
    last_activity_at: true,
    end_reason: true,
    enforced: true,
  })
  .extend({ compute_billed: z.boolean().optional() });

export const sandboxView = z.looseObject(needed.shape);
export type SandboxView = z.infer<typeof sandboxView>;

export const createdView = z.looseObject({ ...needed.shape, ...tokenSchema.shape });
export type CreatedView = z.infer<typeof createdView>;

export const pageView = z.looseObject({
  data: z.array(sandboxView),
  next_cursor: sandboxListSchema.shape.next_cursor,
});

export const stateView = z.looseObject({
  id: z.string(),
  status: z.enum(wireStatuses),
  compute_billed: z.boolean().optional(),
});
