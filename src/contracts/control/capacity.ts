import * as z from "zod";
import { requestIdSchema, timestampSchema } from "./shared.ts";

/** `GET /v1/capacity`: how many instances there is room for at once, and what decides it. Beyond the Hopx API. */
export const capacitySchema = z.object({
  object: z.literal("capacity"),
  /** Live and warm instances together. */
  instances: z.number().int(),
  /** Name of the limit that decides. */
  bound_by: z.string(),
  /** When the limits were read. */
  read_at: timestampSchema,
  limits: z.array(
    z.object({
      name: z.string(),
      value: z.number(),
      /** Instances that this limit alone has room for. */
      instances: z.number().int(),
      /** `account`: as it is here; `default`: the provider's default; `documented`: could not be read; `configured`: chosen by the operator. */
      source: z.enum(["account", "default", "documented", "configured"]),
    }),
  ),
  request_id: requestIdSchema,
});
export type CapacityAnswer = z.infer<typeof capacitySchema>;
