import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { sandboxStatuses } from "#contracts/domain.ts";
import { isEnded, isOver, mayGo, transitions } from "#core/lifecycle.ts";

const anyStatus = fc.constantFrom(...sandboxStatuses);

describe("sandbox lifecycle", () => {
  it("has the design's ways and no other", () => {
    expect(transitions).toEqual({
      creating: ["running", "stopped", "failed", "deleting"],
      running: ["paused", "stopped", "deleting"],
      paused: ["running", "stopped", "deleting"],
      stopped: ["creating", "deleting"],
      deleting: ["deleted", "failed"],
      deleted: [],
      failed: [],
    });
  });

  it("lets everything that has not ended be deleted, and nothing that has ended go anywhere", () => {
    fc.assert(
      fc.property(anyStatus, anyStatus, (from, to) => {
        if (isEnded(from)) expect(mayGo(from, to)).toBe(false);
        else if (from !== "deleting") expect(mayGo(from, "deleting")).toBe(true);
      }),
    );
  });

  it("reaches an ended status from each status, however it walks, once it is told to delete", () => {
    fc.assert(
      fc.property(anyStatus, fc.array(fc.nat()), (start, choices) => {
        let status = start;
        for (const choice of choices) {
          const ways = transitions[status];
          status = ways[choice % Math.max(1, ways.length)] ?? status;
        }
        if (!isOver(status)) status = "deleting";
        if (!isEnded(status)) status = transitions[status][0] ?? status;
        expect(isEnded(status)).toBe(true);
      }),
    );
  });
});
