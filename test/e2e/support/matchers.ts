import { expect } from "vitest";

/** Vitest's asymmetric matchers, typed `unknown` instead of `any`. */
export const anyText: unknown = expect.any(String);

export const anyObject: unknown = expect.any(Object);

export function textLike(pattern: string | RegExp): unknown {
  return expect.stringMatching(pattern);
}

/** What a limit's `enforced` says when something does enforce it. */
export const enforced: unknown = expect.not.stringMatching(/^none$/);
