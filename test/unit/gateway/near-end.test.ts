import { expect, it } from "vitest";
import { nearEnd } from "#gateway/near-end.ts";
import { aTarget, makeTestClock } from "./support.ts";

it("tells when a sandbox ends from five minutes before on", () => {
  const clock = makeTestClock();
  const ending = (inMs: number) => nearEnd(aTarget({ expiresAt: clock.now() + inMs }), clock);
  expect(ending(300_001)).toBeNull();
  expect(ending(300_000)).toBe(new Date(clock.now() + 300_000).toISOString());
  expect(nearEnd(aTarget({ expiresAt: null }), clock)).toBeNull();
});
