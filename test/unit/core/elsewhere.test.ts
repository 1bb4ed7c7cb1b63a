import { describe, expect, it } from "vitest";
import { BulkheadError } from "#contracts/errors.ts";
import { aContext, aPrincipal } from "#test/support/fixtures.ts";
import { makeElsewhereWorld, outcomeOf } from "./elsewhere-world.ts";
import { leftovers } from "./world.ts";

const started = 30_000;

describe("where another process launches", () => {
  it("waits for the instance, and answers `creating` when it takes longer than the door allows", async () => {
    const world = await makeElsewhereWorld();
    const creating = world.create({ env: { A: "s3cret" } });
    await world.clock.advance(25_000);
    const { sandbox, token } = await creating;
    expect(sandbox.status).toBe("creating");
    expect(sandbox.instanceId).not.toBeNull();
    expect(token.token).toContain(sandbox.id);
    const stored = await world.record(sandbox.id);
    expect(stored.sealedEnv).not.toBeNull();
    await world.clock.advance(started);
    expect(await world.record(sandbox.id)).toMatchObject({ status: "running", sealedEnv: null });
    expect(world.agent.activation(sandbox.instanceId ?? "")).toMatchObject({
      sandbox_id: sandbox.id,
      env: { A: "s3cret" },
    });
    expect(await world.stores.instances.get(sandbox.instanceId ?? "")).toMatchObject({ state: "claimed" });
  });

  it("answers `running` when the instance is quick", async () => {
    const world = await makeElsewhereWorld();
    world.compute.placedAfterMs = 3_000;
    const creating = world.create();
    await world.clock.advance(6_000);
    expect((await creating).sandbox.status).toBe("running");
  });

  it("launches nothing by itself", async () => {
    const world = await makeElsewhereWorld({}, { stream: false });
    const creating = world.create();
    await world.clock.advance(25_000);
    expect((await creating).sandbox.status).toBe("creating");
    expect(world.compute.launches).toEqual([]);
  });

  it("launches once however often it is told", async () => {
    const world = await makeElsewhereWorld({}, { stream: false });
    void world.create();
    await world.clock.advance(1_000);
    const [wanted] = await world.wanted();
    await Promise.all([world.platform.launcher.launch(wanted ?? ""), world.platform.launcher.launch(wanted ?? "")]);
    await world.platform.launcher.launch(wanted ?? "");
    expect(world.compute.launches).toEqual([wanted]);
    await world.clock.advance(started);
    await world.platform.instancePlaced(wanted ?? "", { kind: "unix", path: `/fake/${wanted ?? ""}` });
    expect(world.agent.served(wanted ?? "")).toHaveLength(1);
  });

  it("follows a request that got lost, with the pool's next look", async () => {
    const world = await makeElsewhereWorld({}, { stream: false });
    const creating = world.create();
    await world.clock.advance(25_000);
    const { sandbox } = await creating;
    expect(await world.platform.launcher.keep()).toMatchObject({ failures: 0 });
    await world.clock.advance(started);
    expect((await world.record(sandbox.id)).status).toBe("running");
  });

  it("fails the sandbox at once when nothing can ever launch it", async () => {
    const world = await makeElsewhereWorld();
    world.faults = {
      before(call) {
        if (call === "compute.launch") throw new BulkheadError("HOST_UNSUITABLE", "too large");
      },
    };
    const outcome = outcomeOf(world.create());
    await world.clock.advance(5_000);
    expect(await outcome).toEqual({ code: "AGENT_UNREACHABLE" });
    expect(await leftovers(world)).toEqual([]);
    expect(world.audited("sandbox.create").map((event) => event.outcome)).toEqual(["allowed", "failed"]);
  });

  it("fails the sandbox when its instance dies before it was placed", async () => {
    const world = await makeElsewhereWorld();
    const creating = world.create();
    await world.clock.advance(21_000);
    const { sandbox } = await creating;
    world.compute.exit(sandbox.instanceId ?? "", "task_failed");
    await world.clock.advance(1_000);
    expect(await world.record(sandbox.id)).toMatchObject({ status: "failed", endReason: "create_failed" });
    expect(await leftovers(world)).toEqual([]);
  });

  it("fails the sandbox whose placed agent cannot be activated", async () => {
    const world = await makeElsewhereWorld();
    world.faults = {
      before(call) {
        if (call === "agent.activate") throw new BulkheadError("AGENT_UNREACHABLE", "silent");
      },
    };
    const outcome = outcomeOf(world.create());
    await world.clock.advance(25_000 + started);
    await outcome;
    expect(await leftovers(world)).toEqual([]);
  });

  it("serves a sandbox once when it is told twice at the same moment that its instance is placed", async () => {
    const world = await makeElsewhereWorld();
    world.compute.onPlaced((id, endpoint) => void world.platform.instancePlaced(id, endpoint));
    const creating = world.create();
    await world.clock.advance(25_000 + started);
    const { id, instanceId } = (await creating).sandbox;
    expect(await world.record(id)).toMatchObject({ status: "running", instanceId });
    expect(await world.stores.instances.get(instanceId ?? "")).toMatchObject({ state: "claimed", sandboxId: id });
    expect((await world.compute.list()).map((one) => one.instanceId)).toEqual([instanceId]);
  });

  it("leaves a sandbox running of which a late second message finds the agent silent", async () => {
    const world = await makeElsewhereWorld();
    let told = 0;
    world.faults = {
      async before(call) {
        if (call !== "agent.activate") return;
        told += 1;
        if (told !== 2) return;
        await world.clock.sleep(1_000);
        throw new BulkheadError("AGENT_UNREACHABLE", "silent");
      },
    };
    world.compute.onPlaced((id, endpoint) => void world.platform.instancePlaced(id, endpoint));
    const creating = world.create();
    await world.clock.advance(25_000 + started);
    const { id } = (await creating).sandbox;
    expect(told).toBe(2);
    expect(await world.record(id)).toMatchObject({ status: "running" });
  });

  it("ends an instance that is placed after its sandbox was killed", async () => {
    const world = await makeElsewhereWorld();
    const creating = world.create();
    await world.clock.advance(21_000);
    const { sandbox } = await creating;
    await world.platform.sandboxes.kill(aPrincipal, sandbox.id, aContext);
    const instance = sandbox.instanceId ?? "";
    world.compute.stray(instance, {} as never);
    await world.platform.instancePlaced(instance, { kind: "unix", path: `/fake/${instance}` });
    expect(await leftovers(world)).toEqual([]);
  });

  it("fails after its deadline when nobody ever launched it", async () => {
    const world = await makeElsewhereWorld({}, { stream: false });
    const creating = world.create();
    await world.clock.advance(25_000);
    const { sandbox } = await creating;
    let leaked = 0;
    for (let minute = 0; minute < 8; minute += 1) {
      await world.clock.advance(60_000);
      leaked += (await world.platform.sweeper.sweepOnce()).leaked;
    }
    expect(await world.record(sandbox.id)).toMatchObject({ status: "failed", endReason: "create_failed" });
    expect(await leftovers(world)).toEqual([]);
    // An account without room is no leak.
    expect(leaked).toBe(0);
  });

  it("keeps the pool, one for one and by its regular look", async () => {
    const world = await makeElsewhereWorld({ pool: { base: 3 } });
    expect(await world.platform.launcher.keep()).toMatchObject({ launched: 3, missing: 0 });
    await world.clock.advance(started + 5_000);
    const { sandbox } = await world.create();
    expect(sandbox.status).toBe("running");
    await world.clock.advance(started + 5_000);
    expect(world.compute.launches).toHaveLength(4);
    const claimed = await world.stores.instances.get(sandbox.instanceId ?? "");
    if (claimed === undefined) throw new Error("no instance");
    await world.platform.launcher.replace(claimed);
    expect(await world.platform.launcher.keep()).toMatchObject({ warm: { base: 3 }, launched: 0, missing: 0 });
    expect(world.compute.launches).toHaveLength(4);
  });

  it("never says `running` of an instance whose agent has not answered yet: nothing goes on behind a function's answer", async () => {
    const world = await makeElsewhereWorld({ pool: { base: 3 } });
    await world.platform.launcher.keep();
    await world.clock.advance(started + 5_000);
    world.faults = {
      async before(call) {
        if (call !== "agent.activate") return;
        await world.clock.sleep(12_000);
        throw new BulkheadError("AGENT_UNREACHABLE", "silent");
      },
    };
    const creating = world.create();
    await world.clock.advance(20_000);
    const { sandbox } = await creating;
    expect(sandbox.status).toBe("creating");
    expect(await world.record(sandbox.id)).toMatchObject({ status: "creating" });
    expect(await world.wanted()).toEqual([]);
    world.faults = {};
    await world.clock.advance(started);
    expect(await world.record(sandbox.id)).toMatchObject({ status: "running" });
  });

  it("keeps no sealed variables of a sandbox that ended before it ran", async () => {
    const world = await makeElsewhereWorld();
    const creating = world.create({ env: { A: "s3cret" } });
    await world.clock.advance(21_000);
    const { sandbox } = await creating;
    expect((await world.record(sandbox.id)).sealedEnv).not.toBeNull();
    await world.platform.sandboxes.kill(aPrincipal, sandbox.id, aContext);
    expect(await world.record(sandbox.id)).toMatchObject({ status: "deleted", sealedEnv: null });
  });

  it("ends warm instances that a smaller pool does not hold, the oldest first, so that nothing is left before a deployment is destroyed", async () => {
    const pool: Record<string, number> = { base: 3 };
    const world = await makeElsewhereWorld({ pool });
    await world.platform.launcher.keep();
    await world.clock.advance(started + 5_000);
    const sweep = async () => {
      for (let minute = 0; minute < 2; minute += 1) {
        await world.clock.advance(60_000);
        await world.platform.sweeper.sweepOnce();
      }
    };
    await sweep();
    expect(world.compute.existing.size).toBe(3);
    pool["base"] = 1;
    await sweep();
    expect(world.compute.existing.size).toBe(1);
    expect(await world.platform.launcher.keep()).toMatchObject({ warm: { base: 1 }, launched: 0, missing: 0 });
    delete pool["base"];
    await sweep();
    expect(await leftovers(world)).toEqual([]);
  });

  it("replaces a warm instance whose agent never answers, after its deadline", async () => {
    const world = await makeElsewhereWorld({ pool: { base: 1 } });
    await world.platform.launcher.keep();
    const [silent = ""] = world.compute.existing.keys();
    world.agent.silent.add(silent);
    for (let minute = 0; minute < 8; minute += 1) {
      await world.clock.advance(60_000);
      await world.platform.sweeper.sweepOnce();
      await world.platform.launcher.keep();
    }
    await world.clock.advance(started);
    expect([...world.compute.existing.keys()]).not.toContain(silent);
    expect(await world.platform.launcher.keep()).toMatchObject({ warm: { base: 1 }, missing: 0 });
  });

  it("gives back the places of functions that died with them, also to a project of which nothing lives", async () => {
    const world = await makeElsewhereWorld({ quotaPerProject: 1, projects: [aPrincipal.projectId] });
    await world.stores.sandboxes.takeQuota(aPrincipal.projectId, 1);
    for (let minute = 0; minute < 2; minute += 1) {
      await world.clock.advance(60_000);
      await world.platform.sweeper.sweepOnce();
    }
    expect(await leftovers(world)).toEqual([]);
  });

  it("refuses with 429 when the line for launches is too long", async () => {
    const world = await makeElsewhereWorld();
    world.line = { retryAfterSeconds: 7 };
    const outcome = world.create();
    await expect(outcome).rejects.toMatchObject({
      code: "RATE_LIMIT_EXCEEDED",
      details: { retry_after_seconds: 7 },
    });
    expect(await leftovers(world)).toEqual([]);
  });

  it("waits for its place in the line", async () => {
    const world = await makeElsewhereWorld();
    world.line = { waitMs: 4_000 };
    void world.create();
    await world.clock.advance(3_000);
    expect(world.compute.launches).toEqual([]);
    await world.clock.advance(3_000);
    expect(world.compute.launches).toHaveLength(1);
  });
});
