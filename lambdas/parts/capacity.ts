import { type Capacity, keepCapacity } from "#aws/capacity.ts";
import { makeDocumentClient } from "#aws/clients.ts";
import { readCapacity } from "#aws/service-quotas.ts";
import type { TemplateStore } from "#core/ports.ts";
import type { Common } from "./common.ts";

/** Reads the account's quotas once an hour and keeps what they have room for in the table. */
export function makeCapacityKeeper(
  { clock, logger }: Common,
  env: { readonly AWS_REGION: string; readonly BULKHEAD_TABLE: string },
  templates: TemplateStore,
): () => Promise<Capacity> {
  const region = env.AWS_REGION;
  const deps = { client: makeDocumentClient(region), table: env.BULKHEAD_TABLE, clock, logger };
  return () =>
    keepCapacity(deps, async () => {
      const sizes = (await templates.list()).map((template) => template.resources.vcpu);
      const vcpu = sizes.length === 0 ? 1 : Math.min(...sizes);
      const capacity = await readCapacity({ region, vcpu, clock, logger });
      logger.info("capacity of the account", { ...capacity });
      return capacity;
    });
}
