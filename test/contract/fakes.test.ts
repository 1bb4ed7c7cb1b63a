import { describe, expect, it } from "vitest";
import type { InstanceExit } from "#core/ports.ts";
import { endpointOf } from "#test/support/fake-compute.ts";
import { makeFakes } from "#test/support/fakes.ts";
import { aSandbox, aTemplate } from "#test/support/fixtures.ts";
import { makeVirtualClock } from "#test/support/virtual-clock.ts";

const request = (instanceId: string) => ({ instanceId, template: aTemplate(), resources: aTemplate().resources });

function activation(sandboxId: string, lifetimeAt: number) {
  const lease = { lifetime_at: lifetimeAt, idle_ms: 60_000 };
  const resources = aTemplate().resources;
  return { sandbox_id: sandboxId, env: {}, lease, internet_access: true, resources };
}

describe("the virtual clock", () => {
  it("runs timers in order, those set by timers as well, and not the cancelled ones", async () => {
    const clock = makeVirtualClock();
    const start = clock.now();
    const seen: string[] = [];
    clock.after(30, () => seen.push(`c${clock.now() - start}`));
    clock.after(20, () => seen.push("cancelled")).cancel();
    void clock.sleep(10).then(async () => {
      seen.push(`a${clock.now() - start}`);
      await clock.sleep(10);
      seen.push(`b${clock.now() - start}`);
    });
    await clock.advance(100);
    expect(seen).toEqual(["a10", "b20", "c30"]);
    expect(clock.now()).toBe(start + 100);
  });

  it("repeats its randomness for a seed", () => {
    const bytes = (seed: number) => [...makeVirtualClock({ seed }).random(16)];
    expect(bytes(7)).toEqual(bytes(7));
    expect(bytes(7)).not.toEqual(bytes(8));
  });
});

describe("fake compute and agents", () => {
  it("launch once per id, up to the capacity", async () => {
    const { compute } = makeFakes();
    compute.capacity = 1;
    expect(await compute.launch(request("i1"))).toEqual(await compute.launch(request("i1")));
    await expect(compute.launch(request("i2"))).rejects.toMatchObject({ code: "CAPACITY_EXHAUSTED" });
    await compute.stop("i1");
    await compute.stop("i1");
    expect(await compute.list()).toEqual([]);
  });

  it("serve one sandbox per instance, and are unreachable without one", async () => {
    const { agent, clock, compute } = makeFakes();
    await compute.launch(request("i1"));
    await agent.activate(endpointOf("i1"), activation("s1", clock.now() + 1000));
    await agent.activate(endpointOf("i1"), activation("s1", clock.now() + 1000));
    await expect(agent.activate(endpointOf("i1"), activation("s2", clock.now()))).rejects.toMatchObject({
      code: "CONFLICT",
    });
    expect(agent.served("i1")).toEqual(["s1"]);
    await expect(agent.health(endpointOf("i2"), 1)).rejects.toMatchObject({ code: "AGENT_UNREACHABLE" });
  });

  it("end at their deadline, unless work moves it", async () => {
    const { agent, clock, compute } = makeFakes();
    const exits: InstanceExit[] = [];
    compute.onExit((exit) => exits.push(exit));
    for (const id of ["i1", "i2"]) {
      await compute.launch(request(id));
      await agent.activate(endpointOf(id), activation(`s-${id}`, clock.now() + 200_000));
    }
    await clock.advance(50_000);
    agent.work("i2", 1);
    await clock.advance(20_000);
    expect(exits).toMatchObject([{ instanceId: "i1", cause: "idle" }]);
    await clock.advance(200_000);
    expect(exits.at(-1)).toMatchObject({ instanceId: "i2", cause: "lifetime" });
  });
});

it("faults hit the core's calls, before or after their effect, and not the test's", async () => {
  const failing = new Set(["sandboxes.insert"]);
  const after = (call: string) => {
    if (failing.has(call)) throw new Error(`crash after ${call}`);
  };
  const { ports, stores } = makeFakes({ faults: { after } });
  await expect(ports.sandboxes.insert(aSandbox())).rejects.toThrow("crash after sandboxes.insert");
  expect(await stores.sandboxes.get(aSandbox().id)).toEqual(aSandbox());
  for await (const record of ports.sandboxes.listLive()) expect(record).toEqual(aSandbox());
});
