import { describe, expect, it } from "vitest";
import { BulkheadError } from "#contracts/errors.ts";
import { aContext, aPrincipal } from "#test/support/fixtures.ts";
import { dyingAt, failing, leftovers, makeWorld, outcomeOf, type World } from "./world.ts";

const hour = 3_600_000;
const stranger = { ...aPrincipal, projectId: "p2" };
const reader = { ...aPrincipal, scopes: ["read" as const] };

async function withSandbox() {
  const world = await makeWorld();
  const { sandbox } = await world.create();
  const { sandboxes } = world.platform;
  const { id } = sandbox;
  return {
    world,
    id,
    instance: sandbox.instanceId ?? "",
    pause: () => sandboxes.pause(aPrincipal, id, aContext),
    resume: () => sandboxes.resume(aPrincipal, id, aContext),
    kill: () => sandboxes.kill(aPrincipal, id, aContext),
  };
}

async function agrees(world: World, id: string, instance: string): Promise<boolean> {
  return (await world.record(id)).status === (world.agent.isFrozen(instance) ? "paused" : "running");
}

describe("pause and resume", () => {
  it("freeze and thaw, and say so, as often as they are asked", async () => {
    const { world, id, instance, pause, resume } = await withSandbox();
    expect(await pause()).toMatchObject({ id, status: "paused" });
    expect(await pause()).toMatchObject({ status: "paused" });
    expect(world.agent.isFrozen(instance)).toBe(true);
    expect(await resume()).toMatchObject({ status: "running" });
    expect(await resume()).toMatchObject({ status: "running" });
    expect(world.agent.isFrozen(instance)).toBe(false);
    expect(world.audited("sandbox.pause")).toHaveLength(2);
    expect(world.audited("sandbox.resume")[0]).toMatchObject({ outcome: "allowed", target: id });
  });

  it("are for those who may use it", async () => {
    const { world, id } = await withSandbox();
    const { sandboxes } = world.platform;
    await expect(sandboxes.pause(stranger, id, aContext)).rejects.toMatchObject({ code: "SANDBOX_NOT_FOUND" });
    await expect(sandboxes.pause(reader, id, aContext)).rejects.toMatchObject({ code: "FORBIDDEN" });
    await expect(sandboxes.stop(reader, id, aContext)).rejects.toMatchObject({ code: "FORBIDDEN" });
    expect((await world.record(id)).status).toBe("running");
  });

  it("hold the idle clock, not the lifetime", async () => {
    const { world, id, pause, resume } = await withSandbox();
    await pause();
    await world.clock.advance(10 * hour);
    await world.platform.sweeper.sweepOnce();
    expect((await world.record(id)).status).toBe("paused");
    await resume();
    await world.clock.advance(hour - 60_000);
    await world.platform.sweeper.sweepOnce();
    expect((await world.record(id)).status).toBe("running");
    await pause();
    await world.clock.advance(14 * hour);
    await world.platform.sweeper.sweepOnce();
    expect(await world.record(id)).toMatchObject({ status: "deleted", endReason: "lifetime" });
    expect(await leftovers(world)).toEqual([]);
  });

  it("take a pause back that the agent did not follow", async () => {
    const { world, id, pause } = await withSandbox();
    world.faults = failing("agent.freeze", new BulkheadError("AGENT_UNREACHABLE", "no answer"));
    expect(await outcomeOf(pause())).toEqual({ code: "AGENT_UNREACHABLE" });
    expect((await world.record(id)).status).toBe("running");
  });

  it("leave it paused where the agent may have followed and does not say so", async () => {
    const { world, id, instance, pause } = await withSandbox();
    world.agent.silent.add(instance);
    expect(await outcomeOf(pause())).toEqual({ code: "AGENT_UNREACHABLE" });
    world.agent.silent.delete(instance);
    expect((await world.record(id)).status).toBe("paused");
    await world.platform.sweeper.sweepOnce();
    expect(await agrees(world, id, instance)).toBe(true);
  });

  it("are finished by the sweeper where their caller died in between", async () => {
    const { world, id, instance, pause, resume } = await withSandbox();
    world.faults = dyingAt((call) => call === "agent.freeze");
    void pause();
    await world.clock.advance(1);
    world.faults = {};
    expect(await world.record(id)).toMatchObject({ status: "paused" });
    await world.platform.sweeper.sweepOnce();
    expect(world.agent.isFrozen(instance)).toBe(true);
    world.faults = dyingAt((call) => call === "sandboxes.replace");
    void resume();
    await world.clock.advance(1);
    world.faults = {};
    expect(world.agent.isFrozen(instance)).toBe(false);
    await world.platform.sweeper.sweepOnce();
    expect(await world.record(id)).toMatchObject({ status: "paused" });
    expect(world.agent.isFrozen(instance)).toBe(true);
    await resume();
    expect(world.agent.isFrozen(instance)).toBe(false);
  });

  it.each([1, 2, 3, 5, 8, 13, 21, 34])("agree with the agent when they race (%i ms apart)", async (apart) => {
    const { world, id, instance, pause, resume } = await withSandbox();
    world.agent.latencyMs = 10;
    const racing = [pause()];
    await world.clock.advance(apart);
    racing.push(resume());
    await world.clock.advance(apart);
    racing.push(pause());
    await world.clock.advance(1_000);
    await Promise.all(racing);
    expect(await agrees(world, id, instance)).toBe(true);
  });

  it("lose against a kill", async () => {
    const { world, id, pause, kill } = await withSandbox();
    world.agent.latencyMs = 50;
    const pausing = outcomeOf(pause());
    await world.clock.advance(10);
    const killing = kill();
    await world.clock.advance(1_000);
    await killing;
    expect(await pausing).toMatchObject({ code: expect.stringMatching(/AGENT_UNREACHABLE|SANDBOX_EXPIRED/) as string });
    expect(await world.record(id)).toMatchObject({ status: "deleted", endReason: "killed" });
    expect(await leftovers(world)).toEqual([]);
  });

  it("do not hide that the instance is gone", async () => {
    const { world, id, instance, pause } = await withSandbox();
    await pause();
    world.compute.vanish(instance);
    await world.platform.sweeper.sweepOnce();
    await world.clock.advance(16_000);
    await world.platform.sweeper.sweepOnce();
    expect(await world.record(id)).toMatchObject({ status: "deleted", endReason: "task_failed" });
  });
});
