import { afterAll } from "vitest";
import { makeFargateCompute } from "#aws/compute/fargate-compute.ts";
import { type AwsFake, startAwsFake } from "#test/support/aws-fake/aws-fake.ts";
import { fargateDeps } from "#test/support/aws-fake/fargate-world.ts";
import { pace } from "#test/support/aws-fake/state.ts";
import { computeContract } from "./compute.suite.ts";

const started: AwsFake[] = [];
afterAll(() => Promise.all(started.map((fake) => fake.stop())));

computeContract("Fargate on the wire fake", async () => {
  const fake = await startAwsFake();
  started.push(fake);
  return {
    compute: makeFargateCompute(fargateDeps(fake)),
    place: async () => fake.state.advance(pace.running),
    settle: async () => fake.state.advance(pace.stopped + pace.released),
    fill: () => fake.fail("RunTask", { code: "", answer: { tasks: [], failures: [{ reason: "RESOURCE:ENI" }] } }),
    left: async () => fake.left(),
  };
});
