import { describe, expect, it } from "vitest";
import type { ActivateRequest } from "#contracts/agent-control.ts";
import { apiKeySchema } from "#contracts/ids.ts";
import { activateSandbox } from "#core/activate.ts";
import type { Signal } from "#core/alerts/signals.ts";
import type { CoreDeps } from "#core/deps.ts";
import { makeKeyCheck } from "#core/keys/check.ts";
import { makeFakes } from "#test/support/fakes.ts";
import { aSandbox } from "#test/support/fixtures.ts";

const path = "/run/secrets/bulkhead-admin-key";

function setUp(decoyPath: string | undefined) {
  const fakes = makeFakes();
  const activated: ActivateRequest[] = [];
  const ports = {
    ...fakes.ports,
    agent: {
      ...fakes.ports.agent,
      activate: async (_: unknown, request: ActivateRequest) => void activated.push(request),
    },
  };
  const deps = { ports, config: { decoyPath } } as unknown as CoreDeps;
  const request = { sandbox_id: "s1" } as ActivateRequest;
  const endpoint = { kind: "unix", path: "/x" } as const;
  return {
    ...fakes,
    activated,
    activate: () => activateSandbox(deps, endpoint, request, aSandbox({ id: "s1", projectId: "p1" })),
  };
}

describe("the decoy of a sandbox", () => {
  it("looks like any key, is in no list, opens nothing and says so", async () => {
    const { activate, activated, stores, clock } = setUp(path);
    await activate();
    const decoy = activated[0]?.decoy;
    expect(decoy?.path).toBe(path);
    const key = decoy?.content.trim() ?? "";
    expect(apiKeySchema.safeParse(key).success).toBe(true);
    expect(await stores.keys.list("p1")).toEqual([]);
    const raised: Signal[] = [];
    const check = makeKeyCheck({ keys: stores.keys, clock, signals: { raise: (signal) => void raised.push(signal) } });
    const refusal = (shown: string) => check.authenticate(shown).then(String, (error: unknown) => String(error));
    const unknown = `hopx_live_${"A".repeat(12)}.${"b".repeat(43)}`;
    expect(await refusal(key)).toBe(await refusal(unknown));
    expect(raised.map(({ type }) => type)).toEqual(["decoy.used", "auth.refused", "auth.refused"]);
    expect(raised[0]).toMatchObject({ projectId: "p1", sandboxId: "s1" });
  });

  it("is another one each time, and none where it is switched off", async () => {
    const on = setUp(path);
    await on.activate();
    await on.activate();
    expect(on.activated[0]?.decoy?.content).not.toBe(on.activated[1]?.decoy?.content);
    const off = setUp(undefined);
    await off.activate();
    expect(off.activated).toEqual([{ sandbox_id: "s1" }]);
  });
});
