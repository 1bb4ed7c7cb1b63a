import { PutCommand } from "@aws-sdk/lib-dynamodb";
import * as z from "zod";
import { call } from "./failures.ts";
import { schemaVersion } from "./schemas.ts";
import { readItem, type TableDeps } from "./table-access.ts";

export const capacitySchema = z.object({
  /** Epoch milliseconds. */
  readAt: z.number(),
  /** Instances that the account has room for at once: the least of all limits. Others who use the account are not counted. */
  instances: z.number(),
  /** Name of the limit that decides. */
  boundBy: z.string(),
  limits: z.array(
    z.object({
      name: z.string(),
      value: z.number(),
      /** Instances that this limit alone has room for. */
      instances: z.number(),
      /** `account`: as it is for this account. `default`: AWS's default, as AWS tells. `documented`: could not be read; what the documentation says. */
      source: z.enum(["account", "default", "documented"]),
    }),
  ),
});
export type Capacity = z.infer<typeof capacitySchema>;
export type CapacityLimit = Capacity["limits"][number];

/** @throws Error without a limit */
export function capacityOf(limits: readonly CapacityLimit[], readAt: number): Capacity {
  const [first, ...others] = limits;
  if (first === undefined) throw new Error("a capacity without a limit");
  const least = others.reduce((least, limit) => (limit.instances < least.instances ? limit : least), first);
  return { readAt, instances: least.instances, boundBy: least.name, limits: [...limits] };
}

const key = { pk: "CAPACITY", sk: "CAPACITY" };

/** What `keepCapacity` stored last; undefined before. For functions that may not read quotas. */
export function storedCapacity(deps: TableDeps): Promise<Capacity | undefined> {
  return readItem(deps, key, capacitySchema);
}

/** A raised quota is seen within this. */
const freshMs = 3_600_000;

/** The stored capacity, read again from the account with `read` and stored once an hour. Run it as often as you like. */
export async function keepCapacity(deps: TableDeps, read: () => Promise<Capacity>): Promise<Capacity> {
  const stored = await storedCapacity(deps);
  if (stored !== undefined && deps.clock.now() < stored.readAt + freshMs) return stored;
  const capacity = await read();
  const Item = { ...capacity, ...key, schemaVersion };
  await call(() => deps.client.send(new PutCommand({ TableName: deps.table, Item })));
  return capacity;
}
