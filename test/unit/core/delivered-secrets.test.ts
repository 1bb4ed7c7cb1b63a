import { describe, expect, it } from "vitest";
import { activation } from "#core/deadlines.ts";
import { makeSecretMemory, rememberDelivered, rememberResolved } from "#core/delivered-secrets.ts";
import { makeEvents } from "#core/events.ts";
import type { Vault } from "#core/ports.ts";
import { makeSecretValues } from "#telemetry/secret-values.ts";
import { aContext, aPrincipal, aSandbox } from "#test/support/fixtures.ts";
import { makeVirtualClock } from "#test/support/virtual-clock.ts";
import { makeWorld } from "./world.ts";

const canary = "canary-7d31-value";
const minutes = 60_000;

function memoryOf(withEvents = true) {
  const clock = makeVirtualClock();
  const events = makeEvents();
  const memory = makeSecretMemory(makeSecretValues(), clock, withEvents ? events : undefined);
  return { clock, events, memory };
}

const endpoint = { kind: "unix", path: "/s" } as const;

describe("what is remembered of a sandbox's secrets", () => {
  it("is what was delivered as one, and what looks like one", () => {
    const { memory } = memoryOf();
    const env = { STORED: canary, A_TOKEN: "looks-like-one", PLAIN: "an-ordinary-value" };
    rememberDelivered(memory, aSandbox({ secretNames: ["STORED"] }), env);
    expect(memory.hide(Object.values(env).join(" "))).toBe("[secret STORED] [secret A_TOKEN] an-ordinary-value");
  });

  it("lasts ten minutes longer than a sandbox that ran", async () => {
    const { clock, events, memory } = memoryOf();
    const record = aSandbox({ secretNames: ["A"] });
    rememberDelivered(memory, record, { A: canary });
    events.publish({ type: "sandbox.running", record, endpoint });
    await clock.advance(60 * minutes);
    expect(memory.hide(canary)).toBe("[secret A]");
    events.publish({ type: "sandbox.ended", sandboxId: record.id, instanceId: null });
    await clock.advance(9 * minutes);
    expect(memory.hide(canary)).toBe("[secret A]");
    await clock.advance(2 * minutes);
    expect(memory.hide(canary)).toBe(canary);
  });

  it("lasts ten minutes for one that never ran, and where nobody hears of ends", async () => {
    for (const withEvents of [true, false]) {
      const { clock, memory } = memoryOf(withEvents);
      rememberDelivered(memory, aSandbox({ secretNames: ["A"] }), { A: canary });
      await clock.advance(11 * minutes);
      expect(memory.hide(canary)).toBe(canary);
    }
  });

  it("is also what a vault has given out, until ten minutes after the last time", async () => {
    const { clock, memory } = memoryOf();
    const resolve: Vault["resolve"] = () => Promise.resolve({ B: canary });
    const vault = rememberResolved({ resolve }, memory);
    await vault.resolve("p1", { B: "id" });
    await clock.advance(6 * minutes);
    await vault.resolve("p1", { B: "id" });
    await clock.advance(6 * minutes);
    expect(memory.hide(canary)).toBe("[secret B]");
    expect(memory.hide(canary, "p2")).toBe(canary);
    await clock.advance(6 * minutes);
    expect(memory.hide(canary)).toBe(canary);
  });
});

describe("a platform that knows its secrets", () => {
  const worldOf = async () => {
    const { memory } = memoryOf();
    return { memory, world: await makeWorld({}, { ports: (ports) => ({ ...ports, secretValues: memory }) }) };
  };

  it("tells the agent which variables hold them", () => {
    const record = aSandbox({ secretNames: ["A"] });
    expect(activation(record, { A: canary }, record.deadlines).secret_names).toEqual(["A"]);
  });

  it("remembers them from the create on", async () => {
    const { memory, world } = await worldOf();
    const { sandbox } = await world.create({ env: { MY_PASSWORD: canary } });
    expect(sandbox.secretNames).toEqual([]);
    expect(memory.hide(`x${canary}`, aPrincipal.projectId)).toBe("x[secret MY_PASSWORD]");
  });

  it("writes none of them into its audit log", async () => {
    const { world } = await worldOf();
    const { sandbox } = await world.create({ env: { MY_PASSWORD: canary } });
    await world.platform.sandboxes.get(aPrincipal, canary, aContext).catch(() => undefined);
    await world.platform.sandboxes.kill(aPrincipal, canary, aContext).catch(() => undefined);
    await world.platform.sandboxes.kill(aPrincipal, sandbox.id, aContext);
    const text = JSON.stringify(world.stores.audit.events);
    expect(text).toContain("[secret MY_PASSWORD]");
    expect(text).not.toContain(canary);
    expect(world.stores.audit.events.at(-1)?.target).toBe(sandbox.id);
  });
});
