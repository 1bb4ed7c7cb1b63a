import { BulkheadError } from "#contracts/errors.ts";

/** Stands for the newest segment where there is none: below all. */
export const none = "0";

/**
 * Where a list stands. A row's position is text that sorts like time: of a row in a segment that was there when the list began
 * `<segment>#<place>`, of every other row, open or ended since, `<start>#~<id>`; so a connection that ends while someone reads on keeps
 * its place, and is neither lost nor told twice.
 */
export interface EgressPosition {
  /** The newest segment when the list began, or `none`. */
  readonly newest: string;
  /** The next row stands below it; null: at the top. */
  readonly below: string | null;
}

const form = /^1 (\d{13}#[0-9a-f]{16}|0) (\d{13}#[\x21-\x7e]{1,128})$/;

export function encodeEgressCursor({ newest, below }: { readonly newest: string; readonly below: string }): string {
  return Buffer.from(`1 ${newest} ${below}`).toString("base64url");
}

/** @throws BulkheadError INVALID_REQUEST for text that is no cursor of ours */
export function decodeEgressCursor(cursor: string): EgressPosition {
  const [, newest, below] = form.exec(Buffer.from(cursor, "base64url").toString("utf8")) ?? [];
  if (newest !== undefined && below !== undefined) return { newest, below };
  throw new BulkheadError("INVALID_REQUEST", "Unknown cursor. Start the list again without one.", {
    details: { parameter: "cursor" },
  });
}
