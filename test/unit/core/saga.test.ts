import { describe, expect, it } from "vitest";
import { makeUndo } from "#core/saga.ts";
import { noopLogger } from "#telemetry/logger.ts";

describe("undo", () => {
  it("runs the newest step first, each once", async () => {
    const undone: string[] = [];
    const undo = makeUndo(noopLogger);
    undo.add("first", async () => undone.push("first"));
    undo.add("second", async () => undone.push("second"));
    expect(await undo.run()).toEqual([]);
    expect(await undo.run()).toEqual([]);
    expect(undone).toEqual(["second", "first"]);
  });

  it("logs and reports a step that fails, and goes on", async () => {
    const undone: string[] = [];
    const logged: unknown[] = [];
    const undo = makeUndo({ ...noopLogger, error: (_message, fields) => void logged.push(fields?.["step"]) });
    undo.add("first", async () => undone.push("first"));
    undo.add("second", () => Promise.reject(new Error("no")));
    expect(await undo.run()).toEqual(["second"]);
    expect(undone).toEqual(["first"]);
    expect(logged).toEqual(["second"]);
  });
});
