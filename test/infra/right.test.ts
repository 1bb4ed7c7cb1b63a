import { describe, expect, it } from "vitest";
import { statementOf } from "../../infra/constructs/functions/right.ts";

describe("a right", () => {
  it("has no wildcard action, and none in a resource without a reason", () => {
    expect(() => statementOf({ actions: ["ecs:*"], resources: ["arn:x"], because: "no" })).toThrow(/wildcard action/);
    expect(() => statementOf({ actions: ["ecs:RunTask"], resources: ["arn:x/*"] })).toThrow(/without a reason/);
    expect(statementOf({ actions: ["ecs:RunTask"], resources: ["arn:x/*"], because: "named later" }).hasResource).toBe(
      true,
    );
  });
});
