import * as z from "zod";
import { egressListSchema, egressRowSchema } from "#contracts/control/egress.ts";

/** Rows as far as the command knows them; what newer platforms add is handed on. */
export const egressPageView = z.looseObject({
  data: z.array(z.looseObject(egressRowSchema.shape)),
  next_cursor: egressListSchema.shape.next_cursor,
});
export type EgressPageView = z.infer<typeof egressPageView>;
export type EgressRow = EgressPageView["data"][number];

/** What `GET /v1/egress` is asked for; RFC 3339 or epoch milliseconds. */
export interface EgressAsked {
  readonly sandbox?: string | undefined;
  readonly host?: string | undefined;
  readonly decision?: "deny" | undefined;
  readonly since?: number | undefined;
}

export interface EgressPage extends EgressPageView {
  /** When the platform answered, by its own clock; epoch milliseconds. */
  readonly at: number;
}

/** One page, newest first. */
export type EgressPages = (
  asked: EgressAsked,
  limit: number,
  cursor: string | null,
  signal?: AbortSignal,
) => Promise<EgressPage>;

const largestPage = 1_000;

/** Newest first, page by page, at most so many. `at` is when the first page was answered. */
export async function allRows(
  pages: EgressPages,
  asked: EgressAsked,
  limit = Number.POSITIVE_INFINITY,
  signal?: AbortSignal,
): Promise<{ readonly rows: readonly EgressRow[]; readonly at: number }> {
  const found: EgressRow[] = [];
  let at = 0;
  let cursor: string | null = null;
  do {
    const page: EgressPage = await pages(asked, Math.min(limit - found.length, largestPage), cursor, signal);
    found.push(...page.data);
    at ||= page.at;
    cursor = page.next_cursor;
  } while (cursor !== null && found.length < limit);
  return { rows: found, at };
}

/** When the row was written, epoch milliseconds. */
export function recordedAt({ ended_at, started_at }: Pick<EgressRow, "ended_at" | "started_at">): number {
  return Date.parse(ended_at ?? started_at);
}
