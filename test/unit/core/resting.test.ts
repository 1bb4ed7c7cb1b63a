import { describe, expect, it } from "vitest";
import { BulkheadError } from "#contracts/errors.ts";
import { aContext, aPrincipal } from "#test/support/fixtures.ts";
import { makeElsewhereWorld } from "./elsewhere-world.ts";
import { dyingAt, failing, leftovers, makeWarmWorld, makeWorld, outcomeOf, type World } from "./world.ts";

const hour = 3_600_000;

async function ofSandbox(world: World, env: Readonly<Record<string, string>> = {}) {
  const { sandbox } = await world.create({ env });
  const { sandboxes } = world.platform;
  const { id } = sandbox;
  return {
    world,
    id,
    instance: sandbox.instanceId ?? "",
    pause: () => sandboxes.pause(aPrincipal, id, aContext),
    stop: () => sandboxes.stop(aPrincipal, id, aContext),
    start: () => sandboxes.start(aPrincipal, id, aContext),
    kill: () => sandboxes.kill(aPrincipal, id, aContext),
    /** Until nothing is suspect any more. */
    async sweep() {
      for (let lap = 0; lap < 3; lap += 1) {
        await world.platform.sweeper.sweepOnce();
        await world.clock.advance(16_000);
      }
    },
  };
}

describe("stop and start", () => {
  it("keep files and environment, end the instance, and bring another one", async () => {
    const one = await ofSandbox(await makeWorld(), { A: "1" });
    const { world, id, instance } = one;
    world.agent.setEnv(instance, { A: "1", B: "s3cret" });
    expect(await one.stop()).toMatchObject({ status: "stopped", instanceId: null, diskId: instance });
    expect(await one.stop()).toMatchObject({ status: "stopped" });
    expect(world.compute.existing.size).toBe(0);
    expect([...world.compute.disks]).toEqual([instance]);
    const { sealedEnv } = await world.record(id);
    expect(sealedEnv).not.toBeNull();
    expect(sealedEnv).not.toContain("s3cret");
    const started = await one.start();
    expect(started).toMatchObject({ status: "running", diskId: instance, sealedEnv: null, tokenGeneration: 1 });
    expect(started.instanceId).not.toBe(instance);
    expect(world.compute.existing.get(started.instanceId ?? "")).toMatchObject({ diskId: instance });
    expect(world.agent.activation(started.instanceId ?? "")).toMatchObject({
      sandbox_id: id,
      env: { A: "1", B: "s3cret" },
    });
    expect((await one.start()).instanceId).toBe(started.instanceId);
    await one.kill();
    expect(await leftovers(world)).toEqual([]);
  });

  it("work again and again, and from a pause", async () => {
    const one = await ofSandbox(await makeWarmWorld(2));
    for (let lap = 0; lap < 3; lap += 1) {
      await one.pause();
      await one.stop();
      expect(await one.start()).toMatchObject({ status: "running", diskId: one.instance });
    }
    await one.kill();
    expect(one.world.compute.disks.size).toBe(0);
  });

  it("do not take a warm instance, whose disk is another", async () => {
    const one = await ofSandbox(await makeWarmWorld(2));
    const warm = new Set(one.world.compute.existing.keys());
    await one.stop();
    expect(warm).not.toContain((await one.start()).instanceId);
  });

  it("keep the place in the quota, and the lifetime goes on", async () => {
    const one = await ofSandbox(await makeWorld());
    await one.stop();
    expect(await one.world.stores.sandboxes.quotaInUse("p1")).toBe(1);
    await one.world.clock.advance(23 * hour);
    await one.sweep();
    expect((await one.world.record(one.id)).status).toBe("stopped");
    await one.world.clock.advance(2 * hour);
    await one.sweep();
    expect(await one.world.record(one.id)).toMatchObject({ status: "deleted", endReason: "lifetime" });
    expect(await leftovers(one.world)).toEqual([]);
  });

  it("leave nothing of a stopped sandbox that is killed, also where the killer may not remove files", async () => {
    const one = await ofSandbox(await makeWorld());
    await one.stop();
    one.world.faults = failing("compute.removeDisk", new Error("no right"));
    await one.kill();
    expect(await leftovers(one.world)).toEqual([`disk ${one.instance}`]);
    one.world.faults = {};
    await one.sweep();
    expect(await leftovers(one.world)).toEqual([]);
  });

  it("leave it stopped, with its files, where there is no room for a start", async () => {
    const one = await ofSandbox(await makeWorld(), { A: "1" });
    await one.stop();
    one.world.compute.capacity = 0;
    expect(await outcomeOf(one.start())).toEqual({ code: "CAPACITY_EXHAUSTED" });
    expect(await one.world.record(one.id)).toMatchObject({ status: "stopped", instanceId: null });
    one.world.compute.capacity = 10;
    await one.start();
    expect(one.world.agent.activation((await one.world.record(one.id)).instanceId ?? "")?.env).toEqual({ A: "1" });
  });

  it("leave it running on a host that cannot keep files", async () => {
    const one = await ofSandbox(await makeWorld());
    one.world.faults = failing("compute.stop", new BulkheadError("INVALID_REQUEST", "no disk"));
    expect(await outcomeOf(one.stop())).toEqual({ code: "INVALID_REQUEST" });
    expect(await one.world.record(one.id)).toMatchObject({ status: "running", instanceId: one.instance });
  });

  it("are refused while it is being created, paused or ended", async () => {
    const one = await ofSandbox(await makeWorld());
    await one.pause();
    expect(await outcomeOf(one.start())).toEqual({ code: "SANDBOX_STOPPED" });
    await one.stop();
    expect(await outcomeOf(one.pause())).toEqual({ code: "SANDBOX_STOPPED" });
    await one.kill();
    expect(await outcomeOf(one.start())).toEqual({ code: "SANDBOX_EXPIRED" });
    expect(await outcomeOf(one.stop())).toEqual({ code: "SANDBOX_EXPIRED" });
  });

  it("end a sandbox whose files are gone, and say so", async () => {
    const one = await ofSandbox(await makeWorld());
    await one.stop();
    await one.world.compute.removeDisk(one.instance);
    await one.sweep();
    expect(await one.world.record(one.id)).toMatchObject({ status: "deleted", endReason: "task_failed" });
    expect(await leftovers(one.world)).toEqual([]);
  });

  it("start one instance, however many ask at once", async () => {
    const one = await ofSandbox(await makeWorld());
    await one.stop();
    one.world.compute.latencyMs = 100;
    const starting = [one.start(), one.start(), one.start()];
    await one.world.clock.advance(1_000);
    const records = await Promise.all(starting);
    expect(one.world.compute.existing.size).toBe(1);
    expect(new Set(records.map(({ instanceId }) => instanceId)).size).toBe(1);
  });

  it("run on where the answer to the last step of a start was lost", async () => {
    const one = await ofSandbox(await makeWorld());
    await one.stop();
    let replaced = 0;
    one.world.faults = {
      after(call) {
        if (call !== "sandboxes.replace") return;
        replaced += 1;
        if (replaced === 2) throw new BulkheadError("SERVICE_UNAVAILABLE", "no answer");
      },
    };
    expect(await outcomeOf(one.start())).toEqual({ code: "SERVICE_UNAVAILABLE" });
    one.world.faults = {};
    await one.sweep();
    const record = await one.world.record(one.id);
    expect(record).toMatchObject({ status: "running", diskId: one.instance });
    expect((await one.start()).instanceId).toBe(record.instanceId);
  });

  it.each(["sandboxes.replace", "compute.stop", "instances.remove"])(
    "neither lose the files nor leave the instance when a stop dies at %s",
    async (step) => {
      const one = await ofSandbox(await makeWorld());
      one.world.faults = dyingAt((call) => call === step);
      void one.stop();
      await one.world.clock.advance(100);
      one.world.faults = {};
      await one.sweep();
      const { status } = await one.world.record(one.id);
      expect(status).toBe(step === "sandboxes.replace" ? "running" : "stopped");
      if (status === "running") return;
      expect([...one.world.compute.disks]).toEqual([one.instance]);
      expect(one.world.compute.existing.size).toBe(0);
      expect(await one.start()).toMatchObject({ status: "running" });
    },
  );

  it.each(["instances.insert", "compute.launch", "agent.health", "agent.activate", "sandboxes.replace"])(
    "neither lose the files nor leave an instance when a start dies at %s",
    async (step) => {
      const one = await ofSandbox(await makeWorld());
      await one.stop();
      let replaced = 0;
      one.world.faults = dyingAt((call) => {
        if (call === "sandboxes.replace") replaced += 1;
        return call === step && (step !== "sandboxes.replace" || replaced > 1);
      });
      void one.start();
      await one.world.clock.advance(100);
      one.world.faults = {};
      await one.world.clock.advance(200_000);
      await one.sweep();
      expect(await one.world.record(one.id)).toMatchObject({ status: "stopped", instanceId: null });
      expect([...one.world.compute.disks]).toEqual([one.instance]);
      expect(one.world.compute.existing.size).toBe(0);
      expect(await one.start()).toMatchObject({ status: "running", diskId: one.instance });
    },
  );
});

describe("where another process launches", () => {
  it("a start answers `creating` and runs when the instance is placed, with its environment", async () => {
    const world = await makeElsewhereWorld();
    const { sandboxes } = world.platform;
    const creating = world.create({ env: { A: "1" } });
    await world.clock.advance(40_000);
    const { sandbox } = await creating;
    const { id } = sandbox;
    await sandboxes.stop(aPrincipal, id, aContext);
    expect([...world.compute.disks]).toEqual([sandbox.instanceId]);
    const starting = sandboxes.start(aPrincipal, id, aContext);
    await world.clock.advance(22_000);
    expect(await starting).toMatchObject({ status: "creating" });
    await world.clock.advance(30_000);
    const record = await world.record(id);
    expect(record).toMatchObject({ status: "running", diskId: sandbox.instanceId, sealedEnv: null });
    expect(world.compute.existing.get(record.instanceId ?? "")).toMatchObject({ diskId: sandbox.instanceId });
    expect(world.agent.activation(record.instanceId ?? "")).toMatchObject({ sandbox_id: id, env: { A: "1" } });
  });

  it("a launch that comes after its start was given up takes no files with it", async () => {
    const world = await makeElsewhereWorld();
    const { sandboxes } = world.platform;
    const creating = world.create();
    await world.clock.advance(40_000);
    const { sandbox } = await creating;
    await sandboxes.stop(aPrincipal, sandbox.id, aContext);
    world.faults = { before: (call) => (call === "compute.launch" ? world.clock.sleep(900_000) : undefined) };
    const starting = outcomeOf(sandboxes.start(aPrincipal, sandbox.id, aContext));
    for (let lap = 0; lap < 50; lap += 1) {
      await world.clock.advance(20_000);
      await world.platform.sweeper.sweepOnce();
    }
    await starting;
    expect(await world.record(sandbox.id)).toMatchObject({ status: "stopped", instanceId: null });
    expect(world.compute.launches).toHaveLength(2);
    expect([...world.compute.disks, ...world.compute.existing.keys()]).toEqual([sandbox.instanceId]);
  });

  it("a start that never comes to anything leaves it stopped with its files", async () => {
    const world = await makeElsewhereWorld();
    const { sandboxes } = world.platform;
    const creating = world.create();
    await world.clock.advance(40_000);
    const { sandbox } = await creating;
    await sandboxes.stop(aPrincipal, sandbox.id, aContext);
    world.compute.capacity = 0;
    const starting = outcomeOf(sandboxes.start(aPrincipal, sandbox.id, aContext));
    await world.clock.advance(400_000);
    await starting;
    for (let lap = 0; lap < 3; lap += 1) {
      await world.platform.sweeper.sweepOnce();
      await world.clock.advance(16_000);
    }
    expect(await world.record(sandbox.id)).toMatchObject({ status: "stopped", instanceId: null });
    expect([...world.compute.disks]).toEqual([sandbox.instanceId]);
  });
});
