import { describe, expect, it } from "vitest";
import { closedPolicy, openPolicy } from "#core/network/policy.ts";
import type { CoreEvent } from "#core/ports.ts";
import { aContext, aPrincipal, aTemplate } from "#test/support/fixtures.ts";
import { makeWorld, outcomeOf } from "../world.ts";

const listed = { ...openPolicy, mode: "allow-list" as const, rules: [{ host: "pypi.org" }] };

describe("the policy a sandbox begins with", () => {
  it("is what was asked for, else the template's, else the deployment's", async () => {
    const world = await makeWorld({ network: listed });
    expect((await world.create()).sandbox.network).toMatchObject({ ...listed, version: 1, source: "deployment" });
    await world.stores.templates.put(aTemplate({ network: closedPolicy }));
    const fromTemplate = (await world.create()).sandbox;
    expect(fromTemplate).toMatchObject({ internetAccess: false, network: { mode: "deny-all", source: "template" } });
    expect((await world.create({ network: openPolicy })).sandbox.network).toMatchObject({ source: "create" });
  });

  it("is refused where it grants what no sandbox can have, and nothing is made", async () => {
    const world = await makeWorld();
    const aws = [{ actions: ["iam:CreateUser"], resources: ["*"] }];
    expect(await outcomeOf(world.create({ network: { ...openPolicy, aws } }))).toEqual({ code: "INVALID_REQUEST" });
    expect(await world.stores.sandboxes.quotaInUse(aPrincipal.projectId)).toBe(0);
  });
});

describe("a replaced policy", () => {
  it("has the next version, is told, and is on record", async () => {
    const world = await makeWorld();
    const { sandbox } = await world.create();
    const told: CoreEvent[] = [];
    world.ports.events.subscribe((event) => told.push(event));
    const { sandboxes } = world.platform;
    const changed = await sandboxes.setNetwork(aPrincipal, sandbox.id, closedPolicy, 1, aContext);
    expect(changed).toMatchObject({
      internetAccess: false,
      network: { mode: "deny-all", version: 2, source: "replaced" },
    });
    expect(told).toMatchObject([{ type: "sandbox.network", record: { id: sandbox.id } }]);
    expect(world.audited("network.replace")).toMatchObject([{ outcome: "allowed", target: sandbox.id }]);
    const stale = sandboxes.setNetwork(aPrincipal, sandbox.id, openPolicy, 1, aContext);
    expect(await outcomeOf(stale)).toEqual({ code: "CONFLICT" });
  });

  it("is not another project's to make, nor one's who may only read", async () => {
    const world = await makeWorld();
    const { sandbox } = await world.create();
    const { setNetwork } = world.platform.sandboxes;
    const other = { ...aPrincipal, projectId: "p2" };
    expect(await outcomeOf(setNetwork(other, sandbox.id, openPolicy, null, aContext))).toEqual({
      code: "SANDBOX_NOT_FOUND",
    });
    const reader = { ...aPrincipal, scopes: ["read"] as const };
    expect(await outcomeOf(setNetwork(reader, sandbox.id, openPolicy, null, aContext))).toEqual({ code: "FORBIDDEN" });
    expect((await world.record(sandbox.id)).network.version).toBe(1);
  });
});

describe("brokered secrets", () => {
  const brokered = [{ name: "TOKEN", reference: "vendor#token", hosts: ["api.example.com"], use: "basic" }];

  it("are placeholders inside, and must exist", async () => {
    const world = await makeWorld();
    expect(await outcomeOf(world.create({ brokered }))).toEqual({ code: "INVALID_REQUEST" });
    world.vault.secrets.set("vendor#token", "the-value");
    const { sandbox } = await world.create({ brokered });
    const [kept] = sandbox.brokered;
    expect(kept?.placeholder).toMatch(/^bhsecret_[a-z2-7]{32}$/);
    expect(JSON.stringify(await world.record(sandbox.id))).not.toContain("the-value");
    expect((await world.create({ brokered })).sandbox.brokered[0]?.placeholder).not.toBe(kept?.placeholder);
  });

  it("are the only delivery where the policy keeps secrets out of the environment", async () => {
    const world = await makeWorld();
    world.vault.secrets.set("vendor#token", "the-value");
    const network = { ...openPolicy, envSecrets: false };
    expect(await outcomeOf(world.create({ network, secrets: { TOKEN: "vendor#token" } }))).toEqual({
      code: "FORBIDDEN",
    });
    expect(await outcomeOf(world.create({ network, brokered }))).toMatchObject({ value: {} });
  });
});
