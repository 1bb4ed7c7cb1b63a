import { expect, it } from "vitest";
import { BulkheadError, type ErrorCode } from "#contracts/errors.ts";
import { launchOrLeave } from "../../../lambdas/pool/launch-or-leave.ts";

async function outcomeOf(code: ErrorCode | null): Promise<readonly string[]> {
  const seen: string[] = [];
  const launch = async () => {
    if (code !== null) throw new BulkheadError(code, "no");
  };
  await launchOrLeave({ launch }, { count: (name) => void seen.push(name) }, "i").catch(() => seen.push("thrown"));
  return seen;
}

it("leaves a launch for which there is no room to the next look, and has others repeated at once", async () => {
  expect(await outcomeOf(null)).toEqual([]);
  expect(await outcomeOf("CAPACITY_EXHAUSTED")).toEqual(["LaunchFailures"]);
  expect(await outcomeOf("SERVICE_UNAVAILABLE")).toEqual(["LaunchFailures", "thrown"]);
});
