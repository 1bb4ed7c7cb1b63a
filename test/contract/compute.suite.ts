import { describe, expect, it } from "vitest";
import { aLaunch, type ComputeWorld, instanceId } from "./compute-world.ts";
import { keptDiskContract } from "./kept-disk.suite.ts";

export { aLaunch, type ComputeWorld, instanceId };

/** What a world cannot show, and why. */
export type ComputeGaps = Partial<
  Record<"simultaneous launches" | "no room" | "limits" | "later placement" | "nothing listed afterwards", string>
>;

/** Asks until everything is gone, as the sweeper does. */
async function end({ compute, settle }: ComputeWorld, id: string): Promise<void> {
  await compute.stop(id);
  await settle();
  await compute.stop(id);
}

export function computeContract(name: string, make: () => Promise<ComputeWorld>, gaps: ComputeGaps = {}): void {
  /** Declared, never silent: the reason stands in the test's name. */
  const can = (gap: keyof ComputeGaps) => {
    const why = gaps[gap];
    return (title: string, run: () => Promise<void>) =>
      why === undefined ? it(title, run) : it.skip(`${title} (${why})`, run);
  };

  keptDiskContract(name, make, gaps["nothing listed afterwards"] === undefined);

  describe(`${name} keeps the Compute contract`, () => {
    it("launches an instance that is described and listed", async () => {
      const { compute, place } = await make();
      const launched = await compute.launch(aLaunch());
      expect(launched.providerId).not.toBe("");
      await place();
      const truth = await compute.describe(instanceId(1));
      expect(truth).toMatchObject({ instanceId: instanceId(1), providerId: launched.providerId, state: "running" });
      expect(truth?.endpoint).not.toBeNull();
      expect(await compute.list()).toEqual([truth]);
    });

    it("says what enforces each limit, and leaves none open", async () => {
      const { compute } = await make();
      const { enforced } = await compute.launch(aLaunch());
      const limits = ["cpu", "memory", "pids", "disk", "network", "identity", "syscalls"];
      expect(Object.keys(enforced).sort()).toEqual([...limits].sort());
      expect(Object.values(enforced)).not.toContain("none");
    });

    can("later placement")("describes an instance that was just launched as starting, without an address", async () => {
      const { compute } = await make();
      const { providerId, endpoint } = await compute.launch(aLaunch());
      expect(endpoint).toBeNull();
      const truth = { instanceId: instanceId(1), providerId, state: "starting", endpoint: null };
      expect(await compute.describe(instanceId(1))).toEqual(truth);
    });

    it("returns the first instance when a launch is repeated", async () => {
      const world = await make();
      const first = await world.compute.launch(aLaunch());
      await world.place();
      expect((await world.compute.launch(aLaunch())).providerId).toBe(first.providerId);
      expect(await world.compute.list()).toHaveLength(1);
      await end(world, instanceId(1));
      expect(await world.left()).toEqual([]);
    });

    can("simultaneous launches")("makes one instance of launches at the same time", async () => {
      const world = await make();
      const launched = await Promise.all([1, 2, 3].map(() => world.compute.launch(aLaunch())));
      expect(new Set(launched.map((one) => one.providerId)).size).toBe(1);
      await world.place();
      expect(await world.compute.list()).toHaveLength(1);
      await end(world, instanceId(1));
      expect(await world.left()).toEqual([]);
    });

    it("keeps instances apart", async () => {
      const { compute, place } = await make();
      const ids = [1, 2, 3, 4, 5].map(instanceId);
      await Promise.all([1, 2, 3, 4, 5].map((number) => compute.launch(aLaunch(number))));
      await place();
      const truths = await compute.list();
      expect(truths.map((one) => one.instanceId).sort()).toEqual(ids);
      expect(new Set(truths.map((one) => one.providerId)).size).toBe(5);
      expect(new Set(truths.map((one) => JSON.stringify(one.endpoint))).size).toBe(5);
      await compute.stop(instanceId(2));
      expect(await compute.describe(instanceId(2))).toBeUndefined();
      expect(await compute.describe(instanceId(3))).toMatchObject({ state: "running" });
    });

    it("ends an instance and everything that was made for it", async () => {
      const world = await make();
      await world.compute.launch(aLaunch());
      await world.place();
      expect(await world.left()).not.toEqual([]);
      await world.compute.stop(instanceId(1));
      expect(await world.compute.describe(instanceId(1))).toBeUndefined();
      const states = (await world.compute.list()).map((one) => one.state);
      expect(states.filter((state) => state !== "gone")).toEqual([]);
      await world.settle();
      await world.compute.stop(instanceId(1));
      expect(await world.left()).toEqual([]);
    });

    can("nothing listed afterwards")("lists nothing of an instance that was ended", async () => {
      const world = await make();
      await world.compute.launch(aLaunch());
      await world.place();
      await end(world, instanceId(1));
      expect(await world.compute.list()).toEqual([]);
    });

    it("ends an instance that has not started yet", async () => {
      const world = await make();
      await world.compute.launch(aLaunch());
      await world.settle();
      await end(world, instanceId(1));
      expect(await world.left()).toEqual([]);
    });

    it("succeeds in stopping what is not there, or not any more", async () => {
      const world = await make();
      await world.compute.stop(instanceId(7));
      await world.compute.launch(aLaunch());
      await world.place();
      await end(world, instanceId(1));
      await world.compute.stop(instanceId(1));
      expect(await world.compute.describe(instanceId(1))).toBeUndefined();
      expect(await world.compute.describe(instanceId(7))).toBeUndefined();
    });

    can("no room")("refuses with CAPACITY_EXHAUSTED where there is no room, and leaves nothing", async () => {
      const world = await make();
      world.fill();
      await expect(world.compute.launch(aLaunch())).rejects.toMatchObject({ code: "CAPACITY_EXHAUSTED" });
      expect(await world.left()).toEqual([]);
    });

    can("limits")("refuses with HOST_UNSUITABLE what can never be enforced, and makes nothing", async () => {
      const world = await make();
      const tooMuch = [
        { vcpu: 17, memory_mb: 512, disk_mb: 1024 },
        { vcpu: 1, memory_mb: 200_000, disk_mb: 1024 },
        { vcpu: 1, memory_mb: 512, disk_mb: 300_000 },
      ];
      for (const resources of tooMuch) {
        const refused = world.compute.launch(aLaunch(1, { resources }));
        await expect(refused).rejects.toMatchObject({ code: "HOST_UNSUITABLE" });
      }
      expect(await world.left()).toEqual([]);
    });
  });
}
