import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { makeJsonLogger } from "#telemetry/json-logger.ts";
import { guarded } from "../../../lambdas/parts/guarded.ts";

const canary = "canary-55e0-value";

describe("a function's handler", () => {
  const lines: string[] = [];
  const hide = (text: string) => text.replaceAll(canary, "[secret A]");
  const logger = makeJsonLogger({ level: "info", write: (line) => lines.push(line), now: () => 0, hide });

  it("tells why it failed in its log, redacted, and Lambda only that it did", async () => {
    const failing = guarded(logger, () => Promise.reject(new Error(`no ${canary}`, { cause: canary })));
    const thrown: unknown = await failing().catch((error: unknown) => error);
    expect(thrown).toBeInstanceOf(Error);
    expect(inspect(thrown, { showHidden: true })).not.toContain(canary);
    expect(lines.join()).toContain("no [secret A]");
    expect(lines.join()).not.toContain(canary);
  });

  it("fails the same way when it throws at once", async () => {
    const failing = guarded(logger, (): Promise<void> => {
      throw new TypeError(canary);
    });
    await expect(failing()).rejects.toThrow("The invocation failed.");
  });

  it("passes on what it was given, and its answer", async () => {
    await expect(guarded(logger, (one: number, two: string) => Promise.resolve(`${one}${two}`))(1, "a")).resolves.toBe(
      "1a",
    );
  });
});
