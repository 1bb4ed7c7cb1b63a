import { describe, expect, it } from "vitest";
import type { LaunchRequest } from "#core/ports.ts";
import { aLaunch, type ComputeWorld, instanceId } from "./compute-world.ts";

const keepDisk = { keepDisk: true } as const;
const disk = instanceId(1);

/** An instance that ran and was stopped, its disk kept; then everything has come to rest. */
async function stopped(world: ComputeWorld, request: LaunchRequest = aLaunch()): Promise<void> {
  await world.compute.launch(request);
  await world.place();
  await world.compute.stop(request.instanceId, keepDisk);
  await world.settle();
  // Whoever hears of the end takes down the rest, as of any instance.
  await world.compute.stop(request.instanceId);
}

/** The number of the instance that works on the kept disk of the first. */
const onDisk = (number: number) => aLaunch(number, { diskId: disk });

/** Part of the Compute contract: disks that outlive their instances. @param listed whether nothing is listed of what has ended */
export function keptDiskContract(name: string, make: () => Promise<ComputeWorld>, listed: boolean): void {
  describe(`${name} keeps disks`, () => {
    it("keeps a disk when asked to, and nothing else of the instance", async () => {
      const world = await make();
      const { compute } = world;
      await stopped(world);
      expect(await compute.listDisks()).toEqual([disk]);
      expect(await compute.describe(disk)).toBeUndefined();
      if (listed) expect(await compute.list()).toEqual([]);
      await compute.removeDisk(disk);
      expect(await compute.listDisks()).toEqual([]);
      expect(await world.left()).toEqual([]);
    });

    it("keeps a disk however often the stop is repeated, with the wish or without", async () => {
      const world = await make();
      await stopped(world);
      await world.compute.stop(disk, keepDisk);
      await world.compute.stop(disk);
      await world.settle();
      await world.compute.stop(disk);
      expect(await world.compute.listDisks()).toEqual([disk]);
    });

    it("gives a kept disk to another instance, which keeps it under its first id", async () => {
      const world = await make();
      const { compute, place } = world;
      await stopped(world);
      const { providerId } = await compute.launch(onDisk(2));
      await place();
      expect(await compute.describe(instanceId(2))).toMatchObject({ state: "running", providerId });
      expect(await compute.listDisks()).toEqual([]);
      expect((await compute.launch(onDisk(2))).providerId).toBe(providerId);
      await stopped(world, onDisk(2));
      expect(await compute.listDisks()).toEqual([disk]);
      // Late repeats of what ended either of them.
      await compute.stop(instanceId(1));
      await compute.stop(instanceId(2), keepDisk);
      await compute.stop(instanceId(2));
      expect(await compute.listDisks()).toEqual([disk]);
      await stopped(world, onDisk(3));
      await compute.removeDisk(disk);
      expect(await world.left()).toEqual([]);
    });

    it("ends a disk with its instance where nobody asks to keep it again", async () => {
      const world = await make();
      await stopped(world);
      await world.compute.launch(onDisk(2));
      await world.place();
      await world.compute.stop(instanceId(2));
      await world.settle();
      await world.compute.stop(instanceId(2));
      expect(await world.compute.listDisks()).toEqual([]);
      expect(await world.left()).toEqual([]);
    });

    it("leaves a disk to the instance that works on it, whoever ends the one before or asks to remove it", async () => {
      const world = await make();
      const { compute } = world;
      await stopped(world);
      await compute.launch(onDisk(2));
      await world.place();
      await compute.stop(instanceId(1));
      await compute.removeDisk(disk);
      expect(await compute.describe(instanceId(2))).toMatchObject({ state: "running" });
      await compute.stop(instanceId(2), keepDisk);
      await world.settle();
      expect(await compute.listDisks()).toEqual([disk]);
    });

    it("launches nothing on a disk that is not there, or in use", async () => {
      const world = await make();
      const { compute } = world;
      await expect(compute.launch(onDisk(2))).rejects.toMatchObject({ code: "INTERNAL_ERROR" });
      expect(await world.left()).toEqual([]);
      await stopped(world);
      await compute.launch(onDisk(2));
      await expect(compute.launch(onDisk(3))).rejects.toMatchObject({ code: "INTERNAL_ERROR" });
      expect(await compute.describe(instanceId(3))).toBeUndefined();
      await compute.stop(instanceId(2));
      await world.settle();
      await compute.stop(instanceId(2));
      expect(await world.left()).toEqual([]);
    });

    it("lists each kept disk, and removes the one that is asked for, as often as it is asked", async () => {
      const world = await make();
      for (const number of [1, 2, 3]) await stopped(world, aLaunch(number));
      await world.compute.launch(aLaunch(4));
      await world.place();
      await world.compute.removeDisk(instanceId(2));
      await world.compute.removeDisk(instanceId(2));
      await world.compute.removeDisk(instanceId(4));
      await world.compute.removeDisk(instanceId(9));
      expect([...(await world.compute.listDisks())].sort()).toEqual([1, 3].map(instanceId));
      expect(await world.compute.describe(instanceId(4))).toMatchObject({ state: "running" });
    });

    it("succeeds in keeping the disk of what is not there", async () => {
      const { compute } = await make();
      await compute.stop(instanceId(7), keepDisk);
      expect(await compute.listDisks()).toEqual([]);
    });
  });
}
