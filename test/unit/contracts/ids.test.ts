import { randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { requestIdSchema, timestampSchema } from "#contracts/control/shared.ts";
import {
  apiKeySchema,
  instanceIdSchema,
  makeInstanceId,
  makeKeyId,
  makeRequestId,
  makeSandboxId,
  sandboxIdSchema,
} from "#contracts/ids.ts";
import { toRfc3339 } from "#contracts/time.ts";

const source = { now: () => 1_763_382_095_123, random: (bytes: number) => randomBytes(bytes) };

describe("ids", () => {
  it("of sandboxes are one DNS label that no preview host mistakes for a port", () => {
    const made = makeSandboxId(source);
    sandboxIdSchema.parse(made);
    expect(made).toMatch(/^1763382095[a-z]/);
    for (const wrong of ["1763382095-abcdefghi", "17633820951bcdefghij", "1763382095Abcdefghij", `${made}\n`, ""]) {
      expect(sandboxIdSchema.safeParse(wrong).success).toBe(false);
    }
  });

  it("of instances, requests and keys have their form", () => {
    instanceIdSchema.parse(makeInstanceId(source));
    requestIdSchema.parse(makeRequestId(source));
    apiKeySchema.parse(`hopx_live_${makeKeyId(source)}.${"a".repeat(43)}`);
  });

  it("are unbiased: bytes past the last whole alphabet are thrown away", () => {
    const bytes = [255, 254, 252, 0, 1];
    const made = makeKeyId({
      now: () => 0,
      random: (count) => Uint8Array.from({ length: count }, (_, at) => bytes[at % 5] ?? 0),
    });
    expect(made).toMatch(/^[ab]{12}$/);
  });
});

it("timestamps have three fractional digits", () => {
  expect(toRfc3339(0)).toBe("1970-01-01T00:00:00.000Z");
  timestampSchema.parse(toRfc3339(source.now()));
  expect(timestampSchema.safeParse("1970-01-01T00:00:00Z").success).toBe(false);
});
