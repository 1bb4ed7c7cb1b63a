import { type Capacity, storedCapacity } from "#aws/capacity.ts";
import { makeDocumentClient } from "#aws/clients.ts";
import type { Common } from "./common.ts";

/** What the pool read of the account's quotas last, for functions that may not read them. */
export function makeCapacityReader(
  { clock, logger }: Common,
  env: { readonly AWS_REGION: string; readonly BULKHEAD_TABLE: string },
): () => Promise<Capacity | undefined> {
  const deps = { client: makeDocumentClient(env.AWS_REGION), table: env.BULKHEAD_TABLE, clock, logger };
  return () => storedCapacity(deps);
}
