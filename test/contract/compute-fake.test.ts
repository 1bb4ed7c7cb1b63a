import { makeFakeCompute } from "#test/support/fake-compute.ts";
import { makeVirtualClock } from "#test/support/virtual-clock.ts";
import { type ComputeWorld, computeContract } from "./compute.suite.ts";

const placedAfterMs = 30_000;

function makeWorld(placedLater: boolean): () => Promise<ComputeWorld> {
  return async () => {
    const clock = makeVirtualClock();
    const compute = makeFakeCompute(clock);
    if (placedLater) compute.placedAfterMs = placedAfterMs;
    return {
      compute,
      place: () => clock.advance(placedAfterMs),
      settle: () => clock.advance(60_000),
      fill() {
        compute.capacity = 0;
      },
      left: async () => [...compute.existing.keys(), ...compute.disks],
    };
  };
}

const limits = "the simulation's fake has no host";
computeContract("the fake", makeWorld(false), { limits, "later placement": "its instances run at once" });
computeContract("the fake that places later", makeWorld(true), { limits });
