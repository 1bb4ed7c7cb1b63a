import { describe, expect, it } from "vitest";
import { BulkheadError } from "#contracts/errors.ts";
import type { Principal } from "#core/model.ts";
import type { CoreEvent } from "#core/ports.ts";
import { aContext, aPrincipal } from "#test/support/fixtures.ts";
import { dyingAt, failing, leftovers, makeWorld, outcomeOf } from "./world.ts";

const hour = 3_600_000;
const day = 24 * hour;
const user: Principal = { ...aPrincipal, keyId: "keyid0000002", scopes: ["use"] };
const stranger: Principal = { ...aPrincipal, projectId: "p2" };

async function withSandbox(timeoutSeconds: number | null = null) {
  const world = await makeWorld();
  const { sandbox } = await world.create({ timeoutSeconds });
  const { id, instanceId } = sandbox;
  const { quarantine, sandboxes } = world.platform;
  const seen: CoreEvent[] = [];
  world.ports.events.subscribe((event) => seen.push(event));
  return {
    ...{ world, id, seen, sandboxes },
    instance: instanceId ?? "",
    hold: (who = aPrincipal, holdSeconds?: number) =>
      quarantine.quarantine(who, id, { reason: "looks odd", holdSeconds }, aContext),
    holdBySystem: () => quarantine.quarantineBySystem(id, "decoy.used", "its decoy was shown"),
    release: (who = aPrincipal) => quarantine.release(who, id, aContext),
    kill: (who = aPrincipal) => sandboxes.kill(who, id, aContext),
  };
}

describe("a quarantine", () => {
  it("kills tokens, stops processes and says so to whoever listens", async () => {
    const { world, id, instance, hold, seen } = await withSandbox();
    const { sandbox, frozen } = await hold();
    expect(frozen).toBe(true);
    expect(sandbox).toMatchObject({
      ...{ status: "paused", tokenGeneration: 2 },
      quarantine: { by: aPrincipal.keyId, reason: "looks odd", before: "running", until: world.clock.now() + 7 * day },
    });
    expect(world.agent.isFrozen(instance)).toBe(true);
    expect(seen).toMatchObject([{ type: "sandbox.resting", record: { id, quarantine: { reason: "looks odd" } } }]);
    expect(world.audited("sandbox.quarantine")).toMatchObject([{ outcome: "allowed", target: id }]);
  });

  it("is for those with its scope, and tells nobody else of anything", async () => {
    const { world, id, hold, release } = await withSandbox();
    expect(await outcomeOf(hold(user))).toEqual({ code: "FORBIDDEN" });
    expect(await outcomeOf(hold(stranger))).toEqual({ code: "SANDBOX_NOT_FOUND" });
    expect((await world.record(id)).quarantine).toBeNull();
    await hold();
    expect(await outcomeOf(release(user))).toEqual({ code: "FORBIDDEN" });
    expect(await outcomeOf(release(stranger))).toEqual({ code: "SANDBOX_NOT_FOUND" });
    expect((await world.record(id)).quarantine).not.toBeNull();
  });

  it("leaves nothing to do for others but to look", async () => {
    const { id, sandboxes, hold, kill } = await withSandbox();
    await hold();
    const refused = { code: "SANDBOX_QUARANTINED" };
    expect(await outcomeOf(sandboxes.resume(user, id, aContext))).toEqual(refused);
    expect(await outcomeOf(sandboxes.stop(user, id, aContext))).toEqual(refused);
    expect(await outcomeOf(sandboxes.setTimeout(user, id, 60, aContext))).toEqual(refused);
    expect(await outcomeOf(sandboxes.refreshToken(user, id, aContext))).toEqual(refused);
    expect(await outcomeOf(sandboxes.refreshToken(aPrincipal, id, aContext))).toEqual(refused);
    expect(await outcomeOf(kill(user))).toEqual(refused);
    expect(await sandboxes.get(user, id, aContext)).toMatchObject({ id, status: "paused" });
  });

  it("gives no token to a create that is repeated", async () => {
    const { world } = await withSandbox();
    const { sandbox } = await world.create({}, { idempotencyKey: "k" });
    await world.platform.quarantine.quarantine(aPrincipal, sandbox.id, { reason: "odd" }, aContext);
    expect(await outcomeOf(world.create({}, { idempotencyKey: "k" }))).toEqual({ code: "SANDBOX_QUARANTINED" });
    expect((await world.record(sandbox.id)).status).toBe("paused");
  });

  it("outlasts every deadline but its own, which ends it", async () => {
    const { world, id, hold } = await withSandbox(600);
    await hold();
    await world.clock.advance(6 * day);
    await world.platform.sweeper.sweepOnce();
    expect(await world.record(id)).toMatchObject({ status: "paused" });
    await world.clock.advance(day + 1);
    await world.platform.sweeper.sweepOnce();
    expect(await world.record(id)).toMatchObject({ status: "deleted", endReason: "lifetime" });
    expect(await leftovers(world)).toEqual([]);
  });

  it("is repeated without harm; a longer hold counts, a shorter one does not", async () => {
    const { world, id, hold } = await withSandbox();
    const first = await hold(aPrincipal, 3600);
    await world.clock.advance(60_000);
    await hold(aPrincipal, 60);
    expect((await world.record(id)).quarantine).toEqual(first.sandbox.quarantine);
    await hold({ ...aPrincipal, keyId: "keyid0000003" }, 7200);
    const after = await world.record(id);
    expect(after.quarantine).toEqual({ ...first.sandbox.quarantine, until: world.clock.now() + 2 * hour });
    expect(after.tokenGeneration).toBe(2);
  });

  it("holds a stopped sandbox with its files, and gives it back stopped", async () => {
    const { world, id, instance, sandboxes, hold, release } = await withSandbox();
    await sandboxes.stop(aPrincipal, id, aContext);
    expect(await hold()).toMatchObject({ frozen: true, sandbox: { status: "stopped" } });
    expect(await outcomeOf(sandboxes.start(aPrincipal, id, aContext))).toEqual({ code: "SANDBOX_QUARANTINED" });
    for (let lap = 0; lap < 3; lap += 1) {
      await world.platform.sweeper.sweepOnce();
      await world.clock.advance(16_000);
    }
    expect([...world.compute.disks]).toEqual([instance]);
    expect(await release()).toMatchObject({ status: "stopped", quarantine: null });
    expect(await sandboxes.start(aPrincipal, id, aContext)).toMatchObject({ status: "running" });
  });

  it("can be ended by those who may hold it", async () => {
    const { world, id, hold, kill } = await withSandbox();
    await hold();
    expect(await kill()).toMatchObject({ status: "deleted", endReason: "killed" });
    expect(await world.record(id)).toMatchObject({ quarantine: { reason: "looks odd" } });
    expect(await leftovers(world)).toEqual([]);
    expect(await outcomeOf(hold())).toEqual({ code: "SANDBOX_EXPIRED" });
  });

  it("can be an alert's, which is on record as the system's", async () => {
    const { world, id, instance, holdBySystem, kill } = await withSandbox();
    expect(await holdBySystem()).toMatchObject({ frozen: true, sandbox: { quarantine: { by: "decoy.used" } } });
    expect(world.agent.isFrozen(instance)).toBe(true);
    expect(world.audited("sandbox.quarantine")).toMatchObject([{ actor: "system", target: id }]);
    await kill();
    expect(await holdBySystem()).toBeUndefined();
  });

  it("ends with its host, like everything", async () => {
    const { world, id, hold } = await withSandbox();
    await hold();
    await world.platform.drain();
    expect(await world.record(id)).toMatchObject({ status: "deleted", endReason: "host_retired" });
    expect(await leftovers(world)).toEqual([]);
  });
});

describe("a quarantine that is cut off", () => {
  it("stands, and the sweeper stops what runs still", async () => {
    const { world, id, instance, hold } = await withSandbox();
    world.faults = failing("agent.freeze", new BulkheadError("AGENT_UNREACHABLE", "no answer"));
    expect(await hold()).toMatchObject({ frozen: false, sandbox: { status: "paused", tokenGeneration: 2 } });
    expect(world.agent.isFrozen(instance)).toBe(false);
    world.faults = {};
    await world.platform.sweeper.sweepOnce();
    expect(world.agent.isFrozen(instance)).toBe(true);
    expect((await world.record(id)).quarantine).not.toBeNull();
  });

  it("at any step is nothing, or is finished by the sweeper", async () => {
    const steps = (await traced()).length;
    expect(steps).toBeGreaterThan(4);
    for (let step = 0; step < steps; step += 1) {
      const { world, id, instance, hold } = await withSandbox();
      let made = -1;
      world.faults = dyingAt(() => {
        made += 1;
        return made === step;
      });
      void hold().catch(() => {});
      await world.clock.advance(1_000);
      world.faults = {};
      await world.platform.sweeper.sweepOnce();
      const { status, quarantine } = await world.record(id);
      expect([step, quarantine !== null, status, world.agent.isFrozen(instance)]).toEqual([
        ...[step, quarantine !== null],
        ...(quarantine === null ? ["running", false] : ["paused", true]),
      ]);
    }
  });

  async function traced(): Promise<readonly string[]> {
    const { world, hold } = await withSandbox();
    const before = world.calls.length;
    await hold();
    return world.calls.slice(before);
  }
});

describe("a release", () => {
  it("lets it go on with the time it had left, under new tokens", async () => {
    const { world, id, instance, sandboxes, hold, release } = await withSandbox(600);
    const before = (await world.record(id)).deadlines;
    await hold();
    await world.clock.advance(2 * day);
    const released = await release();
    expect(released).toMatchObject({ status: "running", quarantine: null, tokenGeneration: 2 });
    expect(released.deadlines).toMatchObject({
      timeoutAt: (before.timeoutAt ?? 0) + 2 * day,
      lifetimeAt: before.lifetimeAt + 2 * day,
    });
    expect(world.agent.isFrozen(instance)).toBe(false);
    await world.platform.sweeper.sweepOnce();
    expect((await world.record(id)).status).toBe("running");
    await sandboxes.refreshToken(user, id, aContext);
    await world.clock.advance(601_000);
    await world.platform.sweeper.sweepOnce();
    expect(await world.record(id)).toMatchObject({ status: "deleted", endReason: "timeout" });
  });

  it("gives a paused one back paused, and may be repeated", async () => {
    const { world, id, instance, sandboxes, hold, release } = await withSandbox();
    await sandboxes.pause(aPrincipal, id, aContext);
    await hold();
    expect(await release()).toMatchObject({ status: "paused", quarantine: null });
    expect(await release()).toMatchObject({ status: "paused" });
    expect(world.agent.isFrozen(instance)).toBe(true);
    expect(world.audited("sandbox.release")).toHaveLength(2);
  });

  it("stands where the agent does not answer: it is paused then", async () => {
    const { world, id, sandboxes, hold, release } = await withSandbox();
    await hold();
    world.faults = failing("agent.thaw", new BulkheadError("AGENT_UNREACHABLE", "no answer"));
    expect(await release()).toMatchObject({ status: "paused", quarantine: null });
    world.faults = {};
    expect(await sandboxes.resume(user, id, aContext)).toMatchObject({ status: "running" });
  });
});

describe("a quarantine in the middle of something else", () => {
  it("wins over a resume, whose processes stand still again", async () => {
    const { world, id, instance, sandboxes, hold } = await withSandbox();
    await sandboxes.pause(aPrincipal, id, aContext);
    let holding: Promise<unknown> | undefined;
    world.faults = {
      // After the resume has read the record, and before it writes.
      after: (call) => {
        if (call === "agent.thaw" && holding === undefined) holding = hold();
        return call === "agent.thaw" ? holding?.then(() => undefined) : undefined;
      },
    };
    expect(await outcomeOf(sandboxes.resume(user, id, aContext))).toEqual({ code: "SANDBOX_QUARANTINED" });
    world.faults = {};
    expect(world.agent.isFrozen(instance)).toBe(true);
    expect(await world.record(id)).toMatchObject({ status: "paused", quarantine: { before: "paused" } });
  });

  it("waits for a sandbox that is being started", async () => {
    const { world, id, sandboxes, hold } = await withSandbox();
    await sandboxes.stop(aPrincipal, id, aContext);
    let during: unknown;
    world.faults = {
      before: async (call) => {
        if (call === "compute.launch") during = await outcomeOf(hold());
      },
    };
    await sandboxes.start(aPrincipal, id, aContext);
    expect(during).toEqual({ code: "SANDBOX_BUSY" });
  });
});
