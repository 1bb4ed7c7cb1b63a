import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { z } from "zod";

const priceSchema = z.strictObject({
  usd: z.number().nonnegative(),
  /** What one unit is. */
  per: z.string(),
  source: z.url(),
  /** Where the number stands: on a page of AWS that was read, in a third party's text, or in memory only. */
  evidence: z.enum(["aws-page", "third-party", "unconfirmed"]),
  /** When the source was written or read. */
  date: z.iso.date(),
  note: z.string().optional(),
});

const tableSchema = z.strictObject({
  region: z.string(),
  date: z.iso.date(),
  currency: z.literal("USD"),
  hoursPerMonth: z.number(),
  prices: z.record(z.string(), priceSchema),
  /** What an idle deployment is taken to use of things billed by use. */
  assumptions: z.record(
    z.string(),
    z.strictObject({ value: z.number().nonnegative(), unit: z.string(), reason: z.string() }),
  ),
  /** Every resource type that may stand in a template: priced by a rule, or free for a reason. */
  resources: z.record(
    z.string(),
    z.union([z.strictObject({ rule: z.string() }), z.strictObject({ free: z.string().min(5) })]),
  ),
});
export type PriceTable = z.infer<typeof tableSchema>;

const folder = resolve(import.meta.dirname, "../../infra/prices");

/** The newest table of the folder, or the one named. @throws Error that says what is wrong with it */
export function readPriceTable(path?: string): PriceTable {
  const newest = readdirSync(folder)
    .filter((name) => name.endsWith(".json"))
    .sort()
    .at(-1);
  if (path === undefined && newest === undefined) throw new Error(`no price table in ${folder}`);
  const file = path ?? join(folder, newest ?? "");
  const parsed = tableSchema.safeParse(JSON.parse(readFileSync(file, "utf8")));
  if (!parsed.success) throw new Error(`${file} is no price table:\n${z.prettifyError(parsed.error)}`);
  return parsed.data;
}
