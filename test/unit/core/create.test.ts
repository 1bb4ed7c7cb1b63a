import { describe, expect, it } from "vitest";
import { BulkheadError } from "#contracts/errors.ts";
import { aContext, aPrincipal, aTemplate } from "#test/support/fixtures.ts";
import { leftovers, makeWarmWorld, makeWorld, outcomeOf, type World } from "./world.ts";

const hour = 3_600_000;

function failOn(call: string, times = Number.POSITIVE_INFINITY): World["faults"] {
  let left = times;
  return {
    before(actual) {
      if (actual !== call || left === 0) return;
      left -= 1;
      throw new BulkheadError("SERVICE_UNAVAILABLE", `injected into ${call}`);
    },
  };
}

describe("create", () => {
  it("claims a warm instance with one write and nothing read in between", async () => {
    const world = await makeWarmWorld(2);
    world.calls.length = 0;
    const { sandbox, token } = await world.create({ env: { SECRET: "s3cret" }, timeoutSeconds: 60 });
    expect(world.calls).toEqual([
      "templates.get",
      "sandboxes.takeQuota",
      "instances.claim",
      "sandboxes.insert",
      "agent.activate",
    ]);
    expect(await world.record(sandbox.id)).toEqual(sandbox);
    expect(sandbox).toMatchObject({ status: "running", createdByKeyId: aPrincipal.keyId, region: "local" });
    expect(world.agent.activation(sandbox.instanceId ?? "")).toMatchObject({
      sandbox_id: sandbox.id,
      env: { SECRET: "s3cret" },
      lease: { timeout_at: world.clock.now() + 60_000 },
    });
    expect(token.expiresAt).toBe(sandbox.deadlines.lifetimeAt);
    expect(JSON.stringify([sandbox, world.stores.audit.events])).not.toContain("s3cret");
    expect(world.audited("sandbox.create")).toEqual([
      { outcome: "allowed", target: sandbox.id, actor: aPrincipal.keyId },
    ]);
  });

  it("gives a token that is good for two hours at least", async () => {
    const world = await makeWorld({ maxLifetimeSeconds: 60 });
    expect((await world.create()).token.expiresAt).toBe(world.clock.now() + 2 * hour);
  });

  it("starts an instance when none is warm", async () => {
    const world = await makeWorld();
    const { sandbox } = await world.create({ template: { id: "1" } });
    expect(sandbox.status).toBe("running");
    expect([...world.compute.existing.keys()]).toEqual([sandbox.instanceId]);
  });

  it("gives every one of many callers its own instance", async () => {
    const world = await makeWarmWorld(3);
    const created = await Promise.all(Array.from({ length: 8 }, () => world.create()));
    expect(new Set(created.map((one) => one.sandbox.instanceId)).size).toBe(8);
    for (const id of world.compute.existing.keys()) expect(world.agent.served(id).length).toBeLessThanOrEqual(1);
  });

  it("takes another warm instance, then a cold one, when one does not activate", async () => {
    const world = await makeWarmWorld(2);
    const warm = [...world.compute.existing.keys()];
    for (const id of warm) world.agent.silent.add(id);
    const { sandbox } = await world.create();
    expect(sandbox.status).toBe("running");
    expect(await world.record(sandbox.id)).toEqual(sandbox);
    expect(warm).not.toContain(sandbox.instanceId);
    for (const id of warm) expect(world.compute.existing.has(id)).toBe(false);
  });

  it("goes on with another instance when its own dies during activation", async () => {
    const world = await makeWarmWorld(2);
    world.agent.latencyMs = 100;
    const creating = world.create();
    await world.clock.advance(50);
    const claimed = [];
    for await (const record of world.stores.instances.listAll())
      if (record.state === "claimed") claimed.push(record.id);
    world.compute.exit(claimed[0] ?? "", "task_failed");
    await world.clock.advance(200);
    const { sandbox } = await creating;
    expect(claimed).not.toContain(sandbox.instanceId);
    expect((await world.record(sandbox.id)).status).toBe("running");
  });

  it.each([
    "sandboxes.takeQuota",
    "sandboxes.insert",
    "instances.insert",
    "compute.launch",
    "agent.health",
    "agent.activate",
    "instances.replace",
  ])("leaves nothing behind when %s fails", async (call) => {
    const world = await makeWorld();
    world.faults = failOn(call);
    const outcome = await outcomeOf(world.create());
    await world.clock.advance(1_000);
    expect(outcome).toEqual({ code: "SERVICE_UNAVAILABLE" });
    world.faults = {};
    expect(await leftovers(world)).toEqual([]);
  });

  it.each(["instances.claim", "sandboxes.insert"])(
    "from a warm instance leaves nothing but warm ones behind when %s fails",
    async (call) => {
      const world = await makeWarmWorld(1);
      world.faults = failOn(call, 1);
      expect(await outcomeOf(world.create())).toEqual({ code: "SERVICE_UNAVAILABLE" });
      await world.clock.advance(5_000);
      expect(await world.stores.sandboxes.quotaInUse("p1")).toBe(0);
      const [only] = [...world.compute.existing.keys()];
      expect(await leftovers(world)).toEqual([`instance ${only ?? ""}`, `record of ${only ?? ""} (warm)`]);
    },
  );

  it("says in a second event that what was entered as made has failed", async () => {
    const world = await makeWorld();
    world.faults = failOn("agent.activate");
    expect(await outcomeOf(world.create())).toEqual({ code: "SERVICE_UNAVAILABLE" });
    const [made, failed] = world.audited("sandbox.create");
    expect(made).toMatchObject({ outcome: "allowed" });
    expect(made?.target).toMatch(/^\d{10}/);
    expect(failed).toMatchObject({ outcome: "failed" });
  });

  it("gives secrets by name and keeps values and references apart", async () => {
    const world = await makeWarmWorld(1);
    world.vault.secrets.set("db#password", "pa55");
    const { sandbox } = await world.create({ env: { PLAIN: "1" }, secrets: { DB: "db#password" } });
    expect(world.agent.activation(sandbox.instanceId ?? "")).toMatchObject({ env: { PLAIN: "1", DB: "pa55" } });
    expect(JSON.stringify([sandbox, world.stores.audit.events])).not.toContain("pa55");
    expect(world.stores.audit.events.at(-1)?.details).toMatchObject({ secretsInEnv: { DB: "db#password" } });
    expect(await outcomeOf(world.create({ secrets: { DB: "other" } }))).toEqual({ code: "INVALID_REQUEST" });
    expect(await world.stores.sandboxes.quotaInUse("p1")).toBe(1);
  });

  it("goes on with a cold start when even ending the warm instances that failed fails", async () => {
    const world = await makeWarmWorld(1);
    const [warm] = [...world.compute.existing.keys()];
    world.agent.silent.add(warm ?? "");
    world.faults = failOn("compute.stop", 1);
    const { sandbox } = await world.create();
    expect(sandbox.status).toBe("running");
    await world.platform.sweeper.sweepOnce();
    await world.clock.advance(15_000);
    await world.platform.sweeper.sweepOnce();
    expect(world.compute.existing.has(warm ?? "")).toBe(false);
    expect((await world.record(sandbox.id)).status).toBe("running");
  });

  it("fails as unreachable when its cold instance dies just as it becomes ready", async () => {
    const world = await makeWorld();
    world.agent.latencyMs = 100;
    const creating = outcomeOf(world.create());
    await world.clock.advance(50);
    const [id] = [...world.compute.existing.keys()];
    world.compute.exit(id ?? "", "out_of_memory");
    await world.clock.advance(5_000);
    expect(await creating).toEqual({ code: "AGENT_UNREACHABLE" });
    expect(await leftovers(world)).toEqual([]);
  });

  it("waits for an address that the provider does not know at once, and not for ever", async () => {
    const world = await makeWorld();
    const { launch, describe: ask } = world.compute;
    world.compute.launch = async (request) => ({ ...(await launch(request)), endpoint: null });
    const known = world.create();
    await world.clock.advance(1_000);
    expect((await known).sandbox.status).toBe("running");
    world.compute.describe = async (id) => {
      const truth = await ask(id);
      return truth === undefined ? undefined : { ...truth, endpoint: null };
    };
    const never = world.create();
    await world.clock.advance(20_000);
    const { sandbox } = await never;
    await world.clock.advance(50_000);
    expect(await world.record(sandbox.id)).toMatchObject({ status: "failed", endReason: "create_failed" });
    world.compute.describe = async () => undefined;
    const gone = outcomeOf(world.create());
    await world.clock.advance(1_000);
    expect(await gone).toEqual({ code: "AGENT_UNREACHABLE" });
  });

  it("leaves nothing behind when the token cannot be signed", async () => {
    const world = await makeWorld();
    world.ports.signer.sign = () => Promise.reject(new BulkheadError("SERVICE_UNAVAILABLE", "no"));
    expect(await outcomeOf(world.create())).toEqual({ code: "SERVICE_UNAVAILABLE" });
    // At once: a function is frozen when it has answered.
    expect(await leftovers(world)).toEqual([]);
  });

  it("answers `creating` after the wait and goes on behind the answer", async () => {
    const world = await makeWorld({ createWaitMs: 1_000 });
    world.compute.latencyMs = 5_000;
    const creating = world.create();
    await world.clock.advance(1_000);
    const { sandbox } = await creating;
    expect(sandbox.status).toBe("creating");
    expect(await world.platform.sandboxes.resolve(sandbox.id)).toMatchObject({ endpoint: null });
    await world.clock.advance(5_000);
    expect((await world.record(sandbox.id)).status).toBe("running");
    expect((await world.platform.sandboxes.resolve(sandbox.id))?.endpoint).not.toBeNull();
  });

  it("that fails behind its answer is undone and says create_failed", async () => {
    const world = await makeWorld({ createWaitMs: 1_000 });
    world.compute.latencyMs = 5_000;
    world.faults = failOn("agent.activate");
    const creating = world.create();
    await world.clock.advance(1_000);
    const { sandbox } = await creating;
    await world.clock.advance(20_000);
    expect(await world.record(sandbox.id)).toMatchObject({ status: "failed", endReason: "create_failed" });
    expect(await leftovers(world)).toEqual([]);
    expect(world.audited("sandbox.end")).toMatchObject([{ target: sandbox.id, actor: "system" }]);
  });

  it("keeps a timeout that is set while it is at work", async () => {
    const world = await makeWorld({ createWaitMs: 1_000 });
    world.compute.latencyMs = 5_000;
    const creating = world.create();
    await world.clock.advance(1_000);
    const { sandbox } = await creating;
    await world.platform.sandboxes.setTimeout(aPrincipal, sandbox.id, 100, aContext);
    const timeoutAt = world.clock.now() + 100_000;
    await world.clock.advance(6_000);
    const record = await world.record(sandbox.id);
    expect(record).toMatchObject({ status: "running", deadlines: { timeoutAt } });
    expect(world.agent.activation(record.instanceId ?? "")?.lease.timeout_at).toBe(timeoutAt);
  });

  it("killed while it is at work leaves nothing behind", async () => {
    const world = await makeWorld({ createWaitMs: 1_000 });
    world.compute.latencyMs = 5_000;
    const creating = world.create();
    await world.clock.advance(1_000);
    const { sandbox } = await creating;
    await world.platform.sandboxes.kill(aPrincipal, sandbox.id, aContext);
    await world.clock.advance(20_000);
    expect(await world.record(sandbox.id)).toMatchObject({ status: "deleted", endReason: "killed" });
    expect(await leftovers(world)).toEqual([]);
  });

  it("refuses unknown and unready templates, weak keys and full projects", async () => {
    const world = await makeWorld({ quotaPerProject: 1 });
    await world.stores.templates.put(aTemplate({ id: "2", name: "slow", status: "building" }));
    await world.stores.templates.put(aTemplate({ id: "3", name: "bad", status: "failed", problem: "no numpy" }));
    const code = async (work: Promise<unknown>) => expect.soft(await outcomeOf(work));
    (await code(world.create({ template: { name: "nope" } }))).toEqual({ code: "TEMPLATE_NOT_FOUND" });
    (await code(world.create({ template: { name: "slow" } }))).toEqual({ code: "SERVICE_UNAVAILABLE" });
    await expect(world.create({ template: { id: "3" } })).rejects.toThrow("no numpy");
    (await code(world.create({ template: { id: "3" } }))).toEqual({ code: "HOST_UNSUITABLE" });
    const reader = { ...aPrincipal, scopes: ["read" as const] };
    (await code(world.create({}, { principal: reader }))).toEqual({ code: "FORBIDDEN" });
    const { sandbox } = await world.create();
    await expect(world.create()).rejects.toThrow(/limit/);
    await world.platform.sandboxes.kill(aPrincipal, sandbox.id, aContext);
    await world.create();
    expect(world.audited("sandbox.create").map((event) => event.outcome)).toEqual([
      "refused",
      "failed",
      "refused",
      "refused",
      "refused",
      "allowed",
      "refused",
      "allowed",
    ]);
  });

  it("never admits more than the quota, however many come at once", async () => {
    const world = await makeWarmWorld(2, { quotaPerProject: 3 });
    world.agent.latencyMs = 10;
    const creating = Promise.all(Array.from({ length: 12 }, () => outcomeOf(world.create())));
    await world.clock.advance(10_000);
    const outcomes = await creating;
    expect(outcomes.filter((outcome) => "value" in outcome)).toHaveLength(3);
  });
});

describe("Idempotency-Key", () => {
  const withKey = { idempotencyKey: "k1" };

  it("gives the first one's sandbox with a fresh token, and refuses another body", async () => {
    const world = await makeWorld();
    const first = await world.create({}, withKey);
    const second = await world.create({}, withKey);
    expect(second.sandbox.id).toBe(first.sandbox.id);
    expect(second.token.token).not.toBe(first.token.token);
    expect(await outcomeOf(world.create({}, { ...withKey, bodyHash: "other" }))).toEqual({ code: "CONFLICT" });
    const stranger = { ...aPrincipal, projectId: "p2" };
    expect((await world.create({}, { ...withKey, principal: stranger })).sandbox.id).not.toBe(first.sandbox.id);
  });

  it("waits for a first one that is still at work", async () => {
    const world = await makeWorld();
    world.compute.latencyMs = 500;
    const both = Promise.all([world.create({}, withKey), world.create({}, withKey)]);
    await world.clock.advance(2_000);
    const [first, second] = await both;
    expect(second.sandbox.id).toBe(first.sandbox.id);
    expect(world.compute.launches).toHaveLength(1);
  });

  it("is forgotten when the first one failed, at once or behind its answer", async () => {
    const world = await makeWorld({ createWaitMs: 1_000 });
    world.faults = failOn("compute.launch", 1);
    expect(await outcomeOf(world.create({}, withKey))).toEqual({ code: "SERVICE_UNAVAILABLE" });
    world.compute.latencyMs = 3_000;
    world.faults = failOn("agent.activate", 1);
    const late = world.create({}, withKey);
    await world.clock.advance(1_000);
    const failed = await late;
    await world.clock.advance(10_000);
    world.compute.latencyMs = 0;
    const again = await world.create({}, withKey);
    expect(again.sandbox).toMatchObject({ status: "running" });
    expect(again.sandbox.id).not.toBe(failed.sandbox.id);
  });

  it("tells that the sandbox has ended since", async () => {
    const world = await makeWorld();
    const { sandbox } = await world.create({}, withKey);
    await world.platform.sandboxes.kill(aPrincipal, sandbox.id, aContext);
    expect(await outcomeOf(world.create({}, withKey))).toEqual({ code: "SANDBOX_EXPIRED" });
  });

  it("left by a crash is in nobody's way for long", async () => {
    const world = await makeWorld({ createWaitMs: 1_000 });
    await world.stores.sandboxes.claimIdempotency({
      projectId: "p1",
      key: "k1",
      bodyHash: "body",
      sandboxId: "1800000000crashedsix",
      expiresAtSeconds: world.clock.now() / 1000 + 86_400,
    });
    const early = outcomeOf(world.create({}, withKey));
    await world.clock.advance(2_000);
    expect(await early).toEqual({ code: "SANDBOX_CREATING" });
    await world.clock.advance(121_000);
    expect((await world.create({}, withKey)).sandbox.status).toBe("running");
  });
});

describe("a create whose caller hung up", () => {
  it("is adopted by an equal one, once", async () => {
    const world = await makeWorld();
    const caller = new AbortController();
    const first = await world.create({}, { signal: caller.signal });
    caller.abort();
    const [second, third] = [await world.create(), await world.create()];
    expect(second.sandbox.id).toBe(first.sandbox.id);
    expect(third.sandbox.id).not.toBe(first.sandbox.id);
    await world.clock.advance(200_000);
    expect((await world.record(first.sandbox.id)).status).toBe("running");
  });

  it("is adopted also while it is still at work", async () => {
    const world = await makeWorld();
    world.compute.latencyMs = 1_000;
    const caller = new AbortController();
    const first = world.create({}, { signal: caller.signal });
    await world.clock.advance(100);
    caller.abort();
    const second = world.create();
    await world.clock.advance(5_000);
    expect((await second).sandbox.id).toBe((await first).sandbox.id);
    expect(world.compute.launches).toHaveLength(1);
  });

  it("ends as undelivered when nobody comes back within two minutes", async () => {
    const world = await makeWorld();
    const caller = new AbortController();
    caller.abort();
    const { sandbox } = await world.create({}, { signal: caller.signal });
    await world.clock.advance(119_000);
    expect((await world.record(sandbox.id)).status).toBe("running");
    await world.clock.advance(2_000);
    expect(await world.record(sandbox.id)).toMatchObject({ status: "deleted", endReason: "undelivered" });
    expect(await leftovers(world)).toEqual([]);
  });

  it("is not adopted by another key, another body, or after it ended", async () => {
    const world = await makeWorld();
    const hungUp = () => ({ signal: AbortSignal.abort() });
    const first = await world.create({}, hungUp());
    const other = await world.create({}, { principal: { ...aPrincipal, keyId: "another" } });
    const body = await world.create({}, { bodyHash: "another" });
    await world.platform.sandboxes.kill(aPrincipal, first.sandbox.id, aContext);
    const ended = await world.create();
    expect(new Set([first, other, body, ended].map((one) => one.sandbox.id)).size).toBe(4);
  });

  it("that failed is not adopted", async () => {
    const world = await makeWorld();
    world.compute.latencyMs = 100;
    world.faults = failOn("agent.activate", 1);
    const first = outcomeOf(world.create({}, { signal: AbortSignal.abort() }));
    const second = world.create();
    await world.clock.advance(2_000);
    expect(await first).toEqual({ code: "SERVICE_UNAVAILABLE" });
    expect((await second).sandbox.status).toBe("running");
  });

  it("does not join two callers that are both there", async () => {
    const world = await makeWorld();
    const [one, two] = await Promise.all([world.create(), world.create()]);
    expect(one.sandbox.id).not.toBe(two.sandbox.id);
  });
});

describe("a full host", () => {
  it("is waited for while the pool is starting an instance there", async () => {
    const world = await makeWorld({ pool: { base: 1 } });
    world.compute.capacity = 1;
    world.compute.latencyMs = 400;
    world.platform.start();
    await world.clock.advance(200);
    const created = world.create();
    await world.clock.advance(2_000);
    expect((await created).sandbox.status).toBe("running");
    expect(world.compute.launches).toHaveLength(1);
  });
});
