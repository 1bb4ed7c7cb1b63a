import { describe, expect, it } from "vitest";
import { makeGate } from "#core/gate.ts";
import { makeVirtualClock } from "#test/support/virtual-clock.ts";

describe("the gate in front of creates", () => {
  it("lets `width` in and the others in order of arrival", async () => {
    const clock = makeVirtualClock();
    const gate = makeGate(clock, 2);
    const entered: number[] = [];
    const leaves: (() => void)[] = [];
    for (let index = 0; index < 5; index += 1) {
      void gate.enter(1000).then((leave) => {
        entered.push(index);
        leaves.push(leave);
      });
    }
    await clock.settle();
    expect(entered).toEqual([0, 1]);
    leaves[0]?.();
    leaves[0]?.();
    await clock.settle();
    expect(entered).toEqual([0, 1, 2]);
    leaves[1]?.();
    leaves[2]?.();
    await clock.settle();
    expect(entered).toEqual([0, 1, 2, 3, 4]);
  });

  it("refuses who waited too long, and gives that place to nobody", async () => {
    const clock = makeVirtualClock();
    const gate = makeGate(clock, 1);
    const leave = await gate.enter(1000);
    const refused = gate.enter(1000).catch((error: unknown) => error);
    await clock.advance(1000);
    expect(await refused).toMatchObject({ code: "CAPACITY_EXHAUSTED" });
    leave();
    await gate.enter(0);
  });
});
