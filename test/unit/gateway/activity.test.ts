import { describe, expect, it } from "vitest";
import { type ActivityReporter, makeActivityReporter } from "#gateway/activity.ts";
import { noopLogger } from "#telemetry/logger.ts";
import { makeTestClock, type TestClock } from "./support.ts";

function setting(fail = false): { reporter: ActivityReporter; clock: TestClock; touched: string[] } {
  const clock = makeTestClock();
  const touched: string[] = [];
  const sink = {
    async touch(id: string) {
      touched.push(id);
      if (fail) throw new Error("store is down");
    },
  };
  return { reporter: makeActivityReporter({ sink, clock, logger: noopLogger }, 15_000), clock, touched };
}

describe("activity", () => {
  it("reports a sandbox at most once a period, each on its own", () => {
    const { reporter, clock, touched } = setting();
    reporter.touch("a");
    reporter.touch("a");
    reporter.touch("b");
    clock.advance(14_999);
    reporter.touch("a");
    expect(touched).toEqual(["a", "b"]);
    clock.advance(1);
    reporter.touch("a");
    expect(touched).toEqual(["a", "b", "a"]);
  });

  it("reports an open exchange again while it is in use, and no longer when it has ended", () => {
    const { reporter, clock, touched } = setting();
    let active = true;
    const end = reporter.open({ sandboxId: "a", wasActive: () => active });
    clock.advance(15_000);
    clock.advance(15_000);
    expect(touched).toEqual(["a", "a"]);
    active = false;
    clock.advance(15_000);
    active = true;
    end();
    clock.advance(60_000);
    expect(touched).toEqual(["a", "a"]);
  });

  it("reports again at once when the last report failed", async () => {
    const { reporter, touched } = setting(true);
    reporter.touch("a");
    await Promise.resolve();
    await Promise.resolve();
    reporter.touch("a");
    expect(touched).toEqual(["a", "a"]);
  });
});
