import { describe, expect, it } from "vitest";
import { aContext, anInstance, aPrincipal } from "#test/support/fixtures.ts";
import { leftovers, makeWarmWorld, makeWorld, outcomeOf } from "./world.ts";

const stranger = { ...aPrincipal, projectId: "p2" };
const reader = { ...aPrincipal, scopes: ["read" as const] };

describe("kill", () => {
  it("ends the sandbox, and does so again without complaint", async () => {
    const world = await makeWorld();
    const { sandbox } = await world.create();
    const { sandboxes } = world.platform;
    expect(await sandboxes.kill(aPrincipal, sandbox.id, aContext)).toMatchObject({ endReason: "killed" });
    expect(await sandboxes.kill(aPrincipal, sandbox.id, aContext)).toMatchObject({ endReason: "killed" });
    expect(await leftovers(world)).toEqual([]);
    await expect(sandboxes.get(aPrincipal, sandbox.id, aContext)).rejects.toMatchObject({
      code: "SANDBOX_EXPIRED",
      details: { sandbox_id: sandbox.id, end_reason: "killed", status: "deleted" },
    });
  });

  it("returns the quota once, however many kill at once", async () => {
    const world = await makeWorld();
    const { sandbox } = await world.create();
    await world.create();
    await Promise.all(Array.from({ length: 5 }, () => world.platform.sandboxes.kill(aPrincipal, sandbox.id, aContext)));
    expect(await world.stores.sandboxes.quotaInUse("p1")).toBe(1);
  });

  it("answers within ten seconds although the instance takes longer", async () => {
    const world = await makeWorld();
    const { sandbox } = await world.create();
    world.compute.latencyMs = 60_000;
    const killing = world.platform.sandboxes.kill(aPrincipal, sandbox.id, aContext);
    await world.clock.advance(10_000);
    expect(await killing).toMatchObject({ status: "deleting", endReason: "killed" });
    await world.clock.advance(60_000);
    expect(await leftovers(world)).toEqual([]);
  });

  it("is accepted although the instance cannot be stopped, and the sweeper finishes it", async () => {
    const world = await makeWorld();
    const { sandbox } = await world.create();
    world.faults = { before: (call) => fail(call === "compute.stop") };
    expect(await world.platform.sandboxes.kill(aPrincipal, sandbox.id, aContext)).toMatchObject({ status: "deleting" });
    world.faults = {};
    await world.clock.advance(31_000);
    await world.platform.sweeper.sweepOnce();
    expect(await world.record(sandbox.id)).toMatchObject({ status: "deleted", endReason: "killed" });
    expect(await leftovers(world)).toEqual([]);
  });

  it("is refused when nothing could be written", async () => {
    const world = await makeWorld();
    const { sandbox } = await world.create();
    world.faults = { before: (call) => fail(call === "sandboxes.replace") };
    expect(await outcomeOf(world.platform.sandboxes.kill(aPrincipal, sandbox.id, aContext))).not.toHaveProperty(
      "value",
    );
    expect((await world.record(sandbox.id)).status).toBe("running");
  });
});

describe("another project's sandbox", () => {
  it("cannot be told from an unknown one", async () => {
    const world = await makeWorld();
    const { sandbox } = await world.create();
    const { sandboxes } = world.platform;
    for (const id of [sandbox.id, "1800000000unknownxyz"]) {
      const message = `Sandbox ${id} not found`;
      const refused: unknown = expect.objectContaining({ code: "SANDBOX_NOT_FOUND", message });
      await expect(sandboxes.get(stranger, id, aContext)).rejects.toEqual(refused);
      await expect(sandboxes.kill(stranger, id, aContext)).rejects.toEqual(refused);
      await expect(sandboxes.setTimeout(stranger, id, 1, aContext)).rejects.toEqual(refused);
      await expect(sandboxes.refreshToken(stranger, id, aContext)).rejects.toEqual(refused);
    }
    const query = { limit: 10, cursor: null, statuses: null, region: null };
    expect((await sandboxes.list(stranger, query, aContext)).items).toEqual([]);
    expect((await sandboxes.list(aPrincipal, query, aContext)).items).toHaveLength(1);
  });

  it("a key that may only read can read and nothing else", async () => {
    const world = await makeWorld();
    const { sandbox } = await world.create();
    const { sandboxes } = world.platform;
    expect(await sandboxes.get(reader, sandbox.id, aContext)).toEqual(sandbox);
    const refused: unknown = expect.objectContaining({ code: "FORBIDDEN" });
    await expect(sandboxes.kill(reader, sandbox.id, aContext)).rejects.toEqual(refused);
    await expect(sandboxes.setTimeout(reader, sandbox.id, 1, aContext)).rejects.toEqual(refused);
    await expect(sandboxes.refreshToken(reader, sandbox.id, aContext)).rejects.toEqual(refused);
  });
});

describe("timeout and token", () => {
  it("a new timeout counts from now and reaches the agent; null clears it", async () => {
    const world = await makeWorld();
    const { sandbox } = await world.create({ timeoutSeconds: 10 });
    await world.clock.advance(5_000);
    const lease = () => world.agent.activation(sandbox.instanceId ?? "")?.lease;
    await world.platform.sandboxes.setTimeout(aPrincipal, sandbox.id, 100, aContext);
    expect(lease()?.timeout_at).toBe(world.clock.now() + 100_000);
    await world.platform.sandboxes.setTimeout(aPrincipal, sandbox.id, null, aContext);
    expect(lease()?.timeout_at).toBeUndefined();
    await world.clock.advance(200_000);
    expect((await world.record(sandbox.id)).status).toBe("running");
  });

  it("a refreshed token is another one", async () => {
    const world = await makeWorld();
    const { sandbox, token } = await world.create();
    const again = await world.platform.sandboxes.refreshToken(aPrincipal, sandbox.id, aContext);
    expect(again.token).not.toBe(token.token);
  });

  it("resolves for the gateway until it ends", async () => {
    const world = await makeWorld();
    const { sandbox } = await world.create();
    const { sandboxes } = world.platform;
    expect((await sandboxes.resolve(sandbox.id))?.endpoint).toMatchObject({ kind: "unix" });
    await world.clock.advance(1_000);
    await sandboxes.touch(sandbox.id);
    expect((await world.record(sandbox.id)).lastActivityAt).toBe(world.clock.now());
    await sandboxes.kill(aPrincipal, sandbox.id, aContext);
    expect(await sandboxes.resolve(sandbox.id)).toMatchObject({ endpoint: null, record: { endReason: "killed" } });
    expect(await sandboxes.resolve("1800000000unknownxyz")).toBeUndefined();
  });
});

describe("an instance that ends by itself", () => {
  it.each(["timeout", "idle", "lifetime", "out_of_memory", "disk_full", "task_failed", "host_retired"] as const)(
    "gives its sandbox the true reason: %s",
    async (cause) => {
      const world = await makeWorld();
      const { sandbox } = await world.create();
      world.compute.exit(sandbox.instanceId ?? "", cause);
      await world.clock.settle();
      expect(await world.record(sandbox.id)).toMatchObject({ status: "deleted", endReason: cause });
      expect(await leftovers(world)).toEqual([]);
      expect(world.audited("sandbox.end")).toEqual([{ outcome: "allowed", target: sandbox.id, actor: "agent" }]);
    },
  );

  it("never changes a reason that stands, told late or twice", async () => {
    const world = await makeWorld();
    const { sandbox } = await world.create();
    const exit = { instanceId: sandbox.instanceId ?? "", cause: "task_failed" as const, message: "" };
    const killing = world.platform.sandboxes.kill(aPrincipal, sandbox.id, aContext);
    while ((await world.record(sandbox.id)).status === "running");
    await Promise.all([killing, world.platform.instanceExited(exit), world.platform.instanceExited(exit)]);
    await world.platform.instanceExited(exit);
    expect(await world.record(sandbox.id)).toMatchObject({ endReason: "killed" });
    expect(await leftovers(world)).toEqual([]);
  });

  it("and was warm is replaced", async () => {
    const world = await makeWarmWorld(1);
    const [id] = [...world.compute.existing.keys()];
    world.compute.exit(id ?? "", "task_failed");
    await world.clock.advance(5_000);
    expect([...world.compute.existing.keys()]).toHaveLength(1);
    expect(world.compute.existing.has(id ?? "")).toBe(false);
  });
});

describe("sweeper", () => {
  it.each([
    ["timeout", { timeoutSeconds: 100 }, 100],
    ["idle", { idleTimeoutSeconds: 100 }, 100],
    ["lifetime", { maxLifetimeSeconds: 100, idleTimeoutSeconds: 100 }, 100],
  ] as const)("ends what its agent did not: %s", async (reason, input, seconds) => {
    const world = await makeWorld();
    world.agent.watchdog = false;
    const { sandbox } = await world.create(input);
    await world.clock.advance(seconds * 1000 - 1);
    if (reason === "lifetime") await world.platform.sandboxes.touch(sandbox.id);
    await world.platform.sweeper.sweepOnce();
    expect((await world.record(sandbox.id)).status).toBe("running");
    await world.clock.advance(1);
    expect(await world.platform.sweeper.sweepOnce()).toMatchObject({ ended: 1, failures: 0 });
    expect((await world.record(sandbox.id)).endReason).toBe(reason);
    expect(await leftovers(world)).toEqual([]);
  });

  it("asks the agent before it calls a sandbox idle", async () => {
    const world = await makeWorld();
    world.agent.watchdog = false;
    const { sandbox } = await world.create({ idleTimeoutSeconds: 100 });
    await world.clock.advance(90_000);
    world.agent.work(sandbox.instanceId ?? "");
    await world.clock.advance(20_000);
    await world.platform.sweeper.sweepOnce();
    expect(await world.record(sandbox.id)).toMatchObject({
      status: "running",
      lastActivityAt: world.clock.now() - 20_000,
    });
    world.agent.silent.add(sandbox.instanceId ?? "");
    await world.clock.advance(100_000);
    await world.platform.sweeper.sweepOnce();
    expect((await world.record(sandbox.id)).endReason).toBe("idle");
  });

  it("does not end what a caller extended after the sweep had looked", async () => {
    const world = await makeWorld();
    world.agent.watchdog = false;
    const { sandbox } = await world.create({ timeoutSeconds: 100 });
    await world.clock.advance(100_000);
    let extended = false;
    world.faults = {
      async before(call) {
        if (call !== "sandboxes.get" || extended) return;
        extended = true;
        const record = await world.record(sandbox.id);
        const deadlines = { ...record.deadlines, timeoutAt: world.clock.now() + 100_000 };
        await world.stores.sandboxes.replace({ ...record, deadlines, version: record.version + 1 });
      },
    };
    expect(await world.platform.sweeper.sweepOnce()).toMatchObject({ ended: 0 });
    expect((await world.record(sandbox.id)).status).toBe("running");
  });

  it("ends a sandbox whose instance is gone, and removes its record", async () => {
    const world = await makeWorld();
    const { sandbox } = await world.create();
    world.compute.vanish(sandbox.instanceId ?? "");
    await world.platform.sweeper.sweepOnce();
    expect((await world.record(sandbox.id)).status).toBe("running");
    await world.clock.advance(15_000);
    await world.platform.sweeper.sweepOnce();
    expect((await world.record(sandbox.id)).endReason).toBe("task_failed");
    expect(await leftovers(world)).toEqual([]);
  });

  it("forces transitional states out", async () => {
    const world = await makeWorld();
    world.agent.watchdog = false;
    const { sandbox } = await world.create();
    const stuck = {
      ...sandbox,
      status: "creating" as const,
      statusDeadlineAt: world.clock.now() + 1,
      version: sandbox.version + 1,
    };
    await world.stores.sandboxes.replace(stuck);
    await world.stores.instances.insert(
      anInstance({ state: "starting", stateDeadlineAt: world.clock.now() + 1, endpoint: null }),
    );
    await world.clock.advance(1);
    await world.platform.sweeper.sweepOnce();
    expect(await world.record(sandbox.id)).toMatchObject({ status: "failed", endReason: "create_failed" });
    expect(await leftovers(world)).toEqual([]);
  });

  it("ends what exists without a record, what is claimed for nobody, and what is warm but gone, silent or old", async () => {
    const world = await makeWarmWorld(3);
    const [gone, silent, orphan] = [...world.compute.existing.keys()];
    world.compute.vanish(gone ?? "");
    world.agent.silent.add(silent ?? "");
    await world.stores.instances.claim(orphan ?? "", "1800000000nobodyseen");
    world.compute.stray("istray", {
      instanceId: "istray",
      template: (await world.stores.templates.list())[0] ?? expect.fail(),
      resources: { vcpu: 1, memory_mb: 64, disk_mb: 16 },
    });
    await world.platform.sweeper.sweepOnce();
    await world.clock.advance(15_000);
    expect(await world.platform.sweeper.sweepOnce()).toMatchObject({ leaked: 4, failures: 0 });
    await world.clock.advance(5_000);
    const now = [...world.compute.existing.keys()];
    expect(now).toHaveLength(3);
    for (const id of [gone, silent, orphan, "istray"]) expect(now).not.toContain(id);
    await world.clock.advance(7 * 3_600_000);
    await world.platform.sweeper.sweepOnce();
    await world.clock.advance(5_000);
    for (const id of now) expect(world.compute.existing.has(id)).toBe(false);
  });

  it("recounts a quota that lost a place, also of a project that has nothing left", async () => {
    const world = await makeWorld({ quotaPerProject: 1 });
    await world.stores.sandboxes.takeQuota("p1", 1);
    expect(await outcomeOf(world.create())).toEqual({ code: "RESOURCE_LIMIT_ERROR" });
    await world.platform.sweeper.sweepOnce();
    await world.clock.advance(15_000);
    await world.platform.sweeper.sweepOnce();
    await world.create();
  });

  it("may run twice at once", async () => {
    const world = await makeWorld();
    world.agent.watchdog = false;
    for (let count = 0; count < 5; count += 1) await world.create({ timeoutSeconds: 1 });
    await world.clock.advance(1_000);
    await Promise.all([world.platform.sweeper.sweepOnce(), world.platform.sweeper.sweepOnce()]);
    expect(await leftovers(world)).toEqual([]);
  });

  it("goes on when one thing fails, and says so", async () => {
    const world = await makeWorld();
    world.agent.watchdog = false;
    await world.create({ timeoutSeconds: 1 });
    await world.create({ timeoutSeconds: 1 });
    await world.clock.advance(1_000);
    let failed = false;
    world.faults = {
      before(call) {
        if (call !== "compute.stop" || failed) return;
        failed = true;
        throw new Error("injected");
      },
    };
    expect(await world.platform.sweeper.sweepOnce()).toMatchObject({ ended: 1, failures: 1 });
  });
});

describe("platform", () => {
  it("holds the pool full and sweeps by itself once started, until drained", async () => {
    const world = await makeWorld({ pool: { base: 2 } });
    world.agent.watchdog = false;
    world.platform.start();
    await world.clock.advance(1_000);
    expect(world.compute.existing.size).toBe(2);
    const { sandbox } = await world.create({ timeoutSeconds: 10 });
    await world.clock.advance(1_000);
    expect(world.compute.existing.size).toBe(3);
    await world.clock.advance(130_000);
    expect((await world.record(sandbox.id)).endReason).toBe("timeout");
    await world.create();
    const draining = world.platform.drain();
    expect(await outcomeOf(world.create())).toEqual({ code: "SERVICE_UNAVAILABLE" });
    await world.clock.advance(1_000);
    expect(await draining).toBe(1);
    await world.clock.advance(200_000);
    expect(await leftovers(world)).toEqual([]);
  });

  it("drains what is still being created", async () => {
    const world = await makeWorld();
    world.compute.latencyMs = 1_000;
    const creating = outcomeOf(world.create());
    await world.clock.advance(100);
    const draining = world.platform.drain();
    await world.clock.advance(10_000);
    expect(await draining).toBe(1);
    expect(await creating).toEqual({ code: "CONFLICT" });
    expect(await leftovers(world)).toEqual([]);
  });

  it("when drained refuses also the creates that wait for their turn", async () => {
    const world = await makeWorld({ createConcurrency: 1 });
    world.compute.latencyMs = 1_000;
    const creating = Promise.all([outcomeOf(world.create()), outcomeOf(world.create())]);
    await world.clock.advance(100);
    const draining = world.platform.drain();
    await world.clock.advance(20_000);
    expect(await draining).toBe(1);
    expect(await creating).toEqual([{ code: "CONFLICT" }, { code: "SERVICE_UNAVAILABLE" }]);
    expect(await leftovers(world)).toEqual([]);
  });

  it("ends what an earlier run left as host_retired", async () => {
    const world = await makeWarmWorld(1);
    const { sandbox } = await world.create();
    world.compute.vanish(sandbox.instanceId ?? "");
    expect(await world.platform.recover()).toBe(1);
    expect((await world.record(sandbox.id)).endReason).toBe("host_retired");
  });

  it("says what it could not end", async () => {
    const world = await makeWorld();
    await world.create();
    world.faults = { before: (call) => fail(call === "compute.stop") };
    const draining = expect(world.platform.drain()).rejects.toThrow(/could not be ended/);
    await world.clock.advance(1_000);
    await draining;
  });

  it("refills only when no create is at work, and tries again when there is no room", async () => {
    const world = await makeWarmWorld(1);
    world.compute.capacity = 1;
    await world.create();
    await world.clock.advance(149);
    expect(world.calls.filter((call) => call === "compute.launch")).toHaveLength(1);
    await world.clock.advance(1_000);
    expect(world.compute.existing.size).toBe(1);
    world.compute.capacity = 2;
    await world.clock.advance(6_000);
    expect(world.compute.existing.size).toBe(2);
  });
});

describe("events", () => {
  it("tell of a sandbox's beginning and end, until nobody listens", async () => {
    const world = await makeWorld();
    const seen: string[] = [];
    const forget = world.ports.events.subscribe((event) => seen.push(event.type));
    const { sandbox } = await world.create();
    await world.platform.sandboxes.kill(aPrincipal, sandbox.id, aContext);
    expect(seen).toEqual(["sandbox.running", "sandbox.ended"]);
    forget();
    await world.create();
    expect(seen).toHaveLength(2);
  });
});

function fail(really: boolean): void {
  if (really) throw new Error("injected");
}
