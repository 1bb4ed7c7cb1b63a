import { describe, expect, it } from "vitest";
import { errorBodySchema } from "#contracts/control/shared.ts";
import { agentErrorBody, controlErrorBody } from "#contracts/error-body.ts";
import { BulkheadError, type ErrorCode, errorRegistry, toBulkheadError } from "#contracts/errors.ts";
import { toRfc3339 } from "#contracts/time.ts";

const context = { requestId: "req_1", timestamp: toRfc3339(0) };
const codes = Object.keys(errorRegistry) as ErrorCode[];

describe("error bodies", () => {
  it.each(codes)("%s has the union form on both planes", (code) => {
    const error = new BulkheadError(code, "What to do.");
    expect(error.status).toBeGreaterThanOrEqual(400);
    errorBodySchema.parse(controlErrorBody(error, context));
    const agent = agentErrorBody(error, context);
    expect(agent).toMatchObject({ error: "What to do.", message: "What to do.", code, details: {} });
  });

  it("lift what JavaScript reads at the top level, and nothing else", () => {
    const details = { path: "/a", sandbox_id: "s", other: 1 };
    const error = new BulkheadError("FILE_NOT_FOUND", "No such file.", { details });
    expect(agentErrorBody(error, context)).toMatchObject({ path: "/a", sandbox_id: "s", details });
    expect(agentErrorBody(error, context)).not.toHaveProperty("other");
    expect(controlErrorBody(error, context)).not.toHaveProperty("path");
  });

  it("hide text of unknown errors and keep known ones", () => {
    const known = new BulkheadError("CONFLICT", "x");
    expect(toBulkheadError(known)).toBe(known);
    const hidden = toBulkheadError(new Error("secret"));
    expect(hidden).toMatchObject({ code: "INTERNAL_ERROR", retryable: true });
    expect(hidden.message).not.toContain("secret");
    expect(hidden.cause).toBeInstanceOf(Error);
  });
});
