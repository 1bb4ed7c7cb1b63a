import { describe, expect, it } from "vitest";
import { percentile } from "../../../scripts/smoke/create-times.ts";
import { Journal, reason, StepFailed } from "../../../scripts/smoke/journal.ts";
import { readOptions } from "../../../scripts/smoke/options.ts";
import { keyOf } from "../../../scripts/smoke/run.ts";

describe("the smoke script's options", () => {
  it("take the address without the path the client adds, and the region of the environment", () => {
    const options = readOptions(["--url", "https://x.example/prod/v1/", "--key-env", "K"], { AWS_REGION: "eu-west-1" });
    expect(options).toMatchObject({ url: "https://x.example/prod", region: "eu-west-1", key: { variable: "K" } });
  });

  it("refuse both or neither way to a key", () => {
    expect(() => readOptions(["--url", "u"], {})).toThrow(/--key-secret NAME or --key-env VAR/);
    expect(() => readOptions(["--url", "u", "--key-env", "K", "--key-secret", "S"], {})).toThrow(/or/);
  });
});

it("finds the key in the deployment's own secret and in one made by hand", () => {
  expect(keyOf('{"key":"hopx_live_a.b","expiresAt":1}')).toBe("hopx_live_a.b");
  expect(keyOf("hopx_live_a.b\n")).toBe("hopx_live_a.b");
});

it("takes percentiles of what was measured, never of what lies between", () => {
  expect(percentile([5, 1, 3], 0.5)).toBe(3);
  expect(percentile([1, 2, 3, 4], 0.95)).toBe(4);
  expect(percentile([7], 0.5)).toBe(7);
});

describe("the journal", () => {
  it("writes a failed step once, however many steps it is within, and says what came back", async () => {
    const journal = new Journal(() => {});
    const inner = () =>
      journal.step("inner", () => Promise.reject(Object.assign(new Error("no"), { statusCode: 503 })));
    await expect(journal.step("outer", inner)).rejects.toThrow(StepFailed);
    expect(journal.failures.map(({ what, seen }) => [what, seen])).toEqual([["inner", "Error: no (statusCode 503)"]]);
  });

  it("fails a step whose check refuses what it saw", async () => {
    const journal = new Journal(() => {});
    const check = (): string => {
      throw new Error("expected 42");
    };
    await expect(journal.step("run", () => Promise.resolve(41), check)).rejects.toThrow(StepFailed);
    expect(journal.table()).toContain("FAILED");
  });

  it("tells of what is no error", () => {
    expect(reason("words")).toBe("words");
  });
});
