import { beforeEach, describe, expect, it } from "vitest";
import { anEndedSandbox, anInstance, aSandbox, startOfTime } from "#test/support/fixtures.ts";
import { type MemoryStores, makeMemoryStores } from "#test/support/memory-stores.ts";
import { makeVirtualClock } from "#test/support/virtual-clock.ts";
import { makeTableDirectory } from "../../../src/edge/gateway/directory.ts";

const endpoint = { kind: "tcp", host: "10.64.3.7", port: 7777, fingerprint: "ab" } as const;
const sandbox = aSandbox();
const claimed = anInstance({ state: "claimed", sandboxId: sandbox.id, endpoint });

let stores: MemoryStores;
const resolve = () => makeTableDirectory(stores.sandboxes, stores.instances).resolve(sandbox.id);

beforeEach(() => {
  stores = makeMemoryStores(makeVirtualClock());
});

describe("the gateway's directory", () => {
  it("knows where a running sandbox's agent is, and until when", async () => {
    await stores.sandboxes.insert(sandbox);
    await stores.instances.insert(claimed);
    expect(await resolve()).toEqual({
      sandboxId: sandbox.id,
      projectId: "p1",
      status: "running",
      generation: 1,
      endpoint,
      createdAt: startOfTime,
      expiresAt: startOfTime + 86_400_000,
      endReason: null,
      environment: null,
      ports: [],
      quarantine: null,
    });
  });

  it("knows no way to an instance that serves somebody else, or to an agent whose certificate nobody has seen", async () => {
    await stores.sandboxes.insert(sandbox);
    const instances = [
      { ...claimed, sandboxId: "1800000001abcdefghij" },
      { ...claimed, endpoint: null },
      { ...claimed, endpoint: { kind: "tcp", host: "10.64.3.7", port: 7777 } as const },
      { ...claimed, endpoint: { kind: "unix", path: "/run/agent.sock" } as const },
    ];
    for (const instance of instances) {
      await stores.instances.remove(claimed.id);
      await stores.instances.insert(instance);
      expect(await resolve()).toMatchObject({ status: "running", endpoint: null });
    }
  });

  it("tells how and when one ended, and has no way to it", async () => {
    await stores.instances.insert(claimed);
    await stores.sandboxes.insert(anEndedSandbox({ endReason: "out_of_memory" }));
    expect(await resolve()).toMatchObject({
      endpoint: null,
      endReason: "out_of_memory",
      expiresAt: startOfTime + 1000,
    });
  });

  it("says when there is none", async () => {
    expect(await resolve()).toBeUndefined();
  });
});
