import { createHash } from "node:crypto";
import { beforeEach, describe, expect, it } from "vitest";
import type { Endpoint } from "#core/model.ts";
import { aNetwork, anInstance, aSandbox } from "#test/support/fixtures.ts";
import { type MemoryStores, makeMemoryStores } from "#test/support/memory-stores.ts";
import { makeVirtualClock, type VirtualClock } from "#test/support/virtual-clock.ts";
import { makeIdentify } from "../../../src/edge/egress-proxy/identify.ts";

const host = "10.64.3.7";
const credential = "c".repeat(43);
const egressKeyHash = createHash("sha256").update(credential).digest("base64url");
const endpoint: Endpoint = { kind: "tcp", host, port: 7777, fingerprint: "ab", egressKeyHash };
const sandbox = aSandbox();
const claimed = anInstance({ state: "claimed", sandboxId: sandbox.id, endpoint });

let clock: VirtualClock;
let stores: MemoryStores;
let lookUps = 0;
let identify: ReturnType<typeof makeIdentify>;

/** The answer, which may take its time. */
async function identified(address: string, shown: string | null = credential) {
  const answer = identify(address, shown);
  await clock.advance(2_000);
  return answer;
}

beforeEach(() => {
  clock = makeVirtualClock();
  stores = makeMemoryStores(clock);
  lookUps = 0;
  const { instances, sandboxes } = stores;
  identify = makeIdentify({
    clock,
    sandboxes,
    instances: {
      findByAddress(address) {
        lookUps += 1;
        return instances.findByAddress(address);
      },
    },
  });
});

const identity = { sandboxId: sandbox.id, projectId: "p1", network: sandbox.network, brokered: [] };

describe("whose address it is", () => {
  it("is the running sandbox's that the instance serves, with its rights", async () => {
    await stores.instances.insert(claimed);
    await stores.sandboxes.insert(aSandbox({ network: aNetwork({ mode: "deny-all" }) }));
    expect(await identified(host)).toEqual({
      instanceId: claimed.id,
      identity: { ...identity, network: aNetwork({ mode: "deny-all" }) },
    });
  });

  it("is a held sandbox's too, so that its refusals are on record as its own", async () => {
    const quarantine = { at: 1, by: "k", reason: "odd", until: 2, before: "running" as const };
    await stores.instances.insert(claimed);
    await stores.sandboxes.insert(aSandbox({ status: "paused", quarantine }));
    expect(await identified(host)).toEqual({ instanceId: claimed.id, identity: { ...identity, quarantined: true } });
  });

  it("is nobody's without what the agent of the instance shows", async () => {
    await stores.instances.insert(claimed);
    await stores.sandboxes.insert(aSandbox());
    expect(await identified(host, null)).toBeUndefined();
    expect(await identified(host, "d".repeat(43))).toBeUndefined();
    expect(await identified(host)).toMatchObject({ identity });
    await stores.instances.insert(
      anInstance({
        id: "i2",
        state: "claimed",
        sandboxId: sandbox.id,
        endpoint: { kind: "tcp", host: "10.64.3.8", port: 7777 },
      }),
    );
    expect(await identified("10.64.3.8")).toBeUndefined();
  });

  it("is nobody's when no instance has it, or one that is warm or ending", async () => {
    expect(await identified("10.64.9.9")).toBeUndefined();
    for (const [index, state] of (["starting", "warm", "stopping"] as const).entries()) {
      const own = `10.64.8.${index}`;
      await stores.instances.insert(anInstance({ id: `i${index}`, state, endpoint: { ...endpoint, host: own } }));
      expect(await identified(own)).toBeUndefined();
    }
  });

  it.each(["creating", "paused", "stopped", "deleting", "deleted", "failed"] as const)(
    "has no way out while the sandbox is %s",
    async (status) => {
      await stores.instances.insert(claimed);
      await stores.sandboxes.insert(aSandbox({ status }));
      expect(await identified(host)).toEqual({ instanceId: claimed.id, identity: undefined });
    },
  );

  it("has no way out when the sandbox is served by another instance by now, or is gone", async () => {
    await stores.instances.insert(claimed);
    expect(await identified(host)).toEqual({ instanceId: claimed.id, identity: undefined });
    await stores.sandboxes.insert(aSandbox({ instanceId: "ifedcba9876543210" }));
    await clock.advance(1_001);
    expect(await identified(host)).toEqual({ instanceId: claimed.id, identity: undefined });
  });

  it("is asked twice a second at most, and learned anew after it", async () => {
    await stores.instances.insert(claimed);
    await stores.sandboxes.insert(sandbox);
    await Promise.all([identify(host, credential), identify(host, credential)]);
    await clock.advance(499);
    await identify(host, credential);
    expect(lookUps).toBe(1);
    await stores.sandboxes.replace({ ...sandbox, status: "deleting", version: 2 });
    await clock.advance(2);
    expect((await identified(host))?.identity).toBeUndefined();
    expect(lookUps).toBeGreaterThan(1);
  });

  it("is looked for again for a moment before it is nobody's: the index follows the table late", async () => {
    const answers = [identify(host, credential), identify(host, credential)];
    await clock.advance(500);
    expect(lookUps).toBe(3);
    await stores.instances.insert(claimed);
    await stores.sandboxes.insert(sandbox);
    await clock.advance(1_000);
    expect((await Promise.all(answers)).map((source) => source?.identity)).toEqual([identity, identity]);
    expect(lookUps).toBe(4);
  });

  it("belongs to the newest instance when an address was used again", async () => {
    await stores.instances.insert(claimed);
    const next = aSandbox({ id: "1800000001abcdefghij", instanceId: "inew" });
    await stores.sandboxes.insert(next);
    await stores.instances.insert({ ...claimed, id: "inew", sandboxId: next.id, createdAt: claimed.createdAt + 1 });
    expect((await identified(host))?.identity?.sandboxId).toBe(next.id);
  });

  it("is asked again after a failure, which is told", async () => {
    const failing = makeIdentify({
      clock,
      sandboxes: stores.sandboxes,
      instances: {
        findByAddress() {
          lookUps += 1;
          return lookUps === 1 ? Promise.reject(new Error("throttled")) : Promise.resolve(undefined);
        },
      },
    });
    await expect(failing(host, credential)).rejects.toThrow("throttled");
    const second = failing(host, credential);
    await clock.advance(2_000);
    expect(await second).toBeUndefined();
  });
});
