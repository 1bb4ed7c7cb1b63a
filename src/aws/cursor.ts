import { BulkheadError } from "#contracts/errors.ts";

/** Text that sorts like time; the id tells things of one moment apart. */
export function sortKeyOf(at: number, id: string): string {
  return `${String(at).padStart(14, "0")}#${id}`;
}

/** The sort key a page ended with, as callers get to see it: opaque, and of use in the list it came from only. */
export function encodeCursor(sortKey: string): string {
  return Buffer.from(`1:${sortKey}`).toString("base64url");
}

/** @throws BulkheadError INVALID_REQUEST for text that is no cursor of ours */
export function decodeCursor(cursor: string): string {
  const sortKey = /^1:(\d{14}#[\w-]+)$/.exec(Buffer.from(cursor, "base64url").toString("utf8"))?.[1];
  if (sortKey !== undefined) return sortKey;
  throw new BulkheadError("INVALID_REQUEST", "Unknown cursor. Start the list again without one.", {
    details: { parameter: "cursor" },
  });
}
