import { describe, expect, it } from "vitest";
import { BulkheadError } from "#contracts/errors.ts";
import { makeRecheck } from "#gateway/recheck.ts";
import { makeVirtualClock } from "#test/support/virtual-clock.ts";

function makeWorld() {
  const clock = makeVirtualClock();
  const recheck = makeRecheck(clock, 2000);
  const state: { refusal?: BulkheadError; checks: number; cut: string[] } = { checks: 0, cut: [] };
  const hold = (name: string, group: string) =>
    recheck.hold({
      group,
      async check() {
        state.checks += 1;
        if (state.refusal !== undefined) throw state.refusal;
      },
      cut: (error) => state.cut.push(`${name} ${error.code}`),
    });
  return { clock, recheck, state, hold };
}

describe("what stays open", () => {
  it("is looked at every two seconds, once for all that were let in by the same", async () => {
    const { clock, state, hold } = makeWorld();
    for (let count = 0; count < 1000; count += 1) hold(String(count), "one credential");
    hold("other", "another");
    await clock.advance(10_000);
    expect(state).toMatchObject({ checks: 10, cut: [] });
  });

  it("is cut when its credential would be refused, and not when that cannot be known", async () => {
    const { clock, state, hold } = makeWorld();
    hold("a", "g");
    hold("b", "g");
    state.refusal = new BulkheadError("SERVICE_UNAVAILABLE", "not now");
    await clock.advance(2000);
    expect(state.cut).toEqual([]);
    state.refusal = new BulkheadError("INVALID_API_KEY", "revoked");
    await clock.advance(2000);
    expect(state.cut).toEqual(["a INVALID_API_KEY", "b INVALID_API_KEY"]);
  });

  it("is not looked at any more when it has ended", async () => {
    const { clock, state, hold } = makeWorld();
    hold("a", "g")();
    await clock.advance(10_000);
    expect(state.checks).toBe(0);
  });
});
