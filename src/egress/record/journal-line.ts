import * as z from "zod";
import { toRfc3339 } from "#contracts/time.ts";
import type { EgressRow } from "#core/model.ts";
import { keptRowSchema, recordedAt } from "#core/network/egress-row.ts";

/** One line of a journal: a row with a time that people can read, or a mark of how far the store has them. */
export type JournalLine =
  | { readonly kind: "row"; readonly number: number; readonly row: EgressRow }
  | { readonly kind: "shipped"; readonly through: number }
  | { readonly kind: "settled" };

export function rowLine(row: EgressRow, number: number): string {
  return JSON.stringify({ type: "egress", n: number, at: toRfc3339(recordedAt(row)), ...row });
}

export const shippedLine = (through: number) => JSON.stringify({ type: "shipped", through });
export const settledLine = JSON.stringify({ type: "settled" });

const numberedSchema = z.object({ type: z.literal("egress"), n: z.number() });
const markSchema = z.union([
  z.object({ type: z.literal("shipped"), through: z.number() }),
  z.object({ type: z.literal("settled") }),
]);

/** undefined for what is no line of a journal, such as one that was torn. */
export function parseLine(text: string): JournalLine | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const mark = markSchema.safeParse(value).data;
  if (mark !== undefined)
    return mark.type === "settled" ? { kind: "settled" } : { kind: "shipped", through: mark.through };
  const number = numberedSchema.safeParse(value).data?.n;
  const row = keptRowSchema.safeParse(value).data;
  return number === undefined || row === undefined ? undefined : { kind: "row", number, row };
}
