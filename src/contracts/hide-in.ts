import { BulkheadError } from "./errors.ts";

/** Takes what must not be told out of a text. */
export type Hide = (text: string) => string;

export const hideNothing: Hide = (text) => text;

/** The same JSON value with every text in it hidden, names of members included. */
export function hideIn(value: unknown, hide: Hide): unknown {
  if (typeof value === "string") return hide(value);
  if (Array.isArray(value)) return value.map((item: unknown) => hideIn(item, hide));
  return typeof value === "object" && value !== null ? hideInMembers(value, hide) : value;
}

export function hideInMembers(value: object, hide: Hide): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [hide(key), hideIn(item, hide)]));
}

/** An error as a caller may see it: the same where nothing had to be hidden. Its cause stays, which no caller sees. */
export function hideInError(error: BulkheadError, hide: Hide): BulkheadError {
  const found: string[] = [];
  const noting: Hide = (text) => {
    const hidden = hide(text);
    if (hidden !== text) found.push(hidden);
    return hidden;
  };
  const message = noting(error.message);
  const details = hideInMembers(error.details, noting);
  return found.length > 0 ? new BulkheadError(error.code, message, { details, cause: error.cause }) : error;
}
