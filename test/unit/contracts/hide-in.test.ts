import { describe, expect, it } from "vitest";
import { BulkheadError } from "#contracts/errors.ts";
import { hideIn, hideInError } from "#contracts/hide-in.ts";

const hide = (text: string) => text.replaceAll("canary", "*");

describe("hiding in JSON values and errors", () => {
  it("reaches every text, names of members included, and nothing else", () => {
    const value = { canary: ["canary", 1, null, { deep: "a canary" }], flag: true };
    expect(hideIn(value, hide)).toEqual({ "*": ["*", 1, null, { deep: "a *" }], flag: true });
    expect(value.canary).toHaveLength(4);
  });

  it("keeps code and cause of an error", () => {
    const cause = new Error("canary");
    const error = new BulkheadError("FILE_NOT_FOUND", "no canary", { details: { path: "/canary" }, cause });
    const hidden = hideInError(error, hide);
    expect(hidden).toMatchObject({ code: "FILE_NOT_FOUND", message: "no *", details: { path: "/*" }, cause });
    expect(hidden.stack).not.toContain("canary");
  });

  it("leaves an error alone that has nothing to hide", () => {
    const error = new BulkheadError("CONFLICT", "plain", { details: { a: [1] } });
    expect(hideInError(error, hide)).toBe(error);
  });
});
