import { describe, expect, it } from "vitest";
import type { Evidence } from "#contracts/control/evidence.ts";
import { evidenceSchema } from "#contracts/control/evidence.ts";
import { verifyEvidence } from "#core/evidence/verify.ts";
import type { EgressRow, Principal } from "#core/model.ts";
import { closedPolicy } from "#core/network/policy.ts";
import { aContext, anEgressRow, aPrincipal } from "#test/support/fixtures.ts";
import { makeWorld, outcomeOf, type World } from "./world.ts";

async function withSandbox(config: { readonly evidenceBytes?: number } = {}) {
  const world = await makeWorld(config);
  world.vault.secrets.set("db#password", "not-to-be-found");
  world.vault.secrets.set("github#token", "nor-this");
  const { sandbox } = await world.create({
    secrets: { DB_PASSWORD: "db#password" },
    brokered: [{ name: "TOKEN", reference: "github#token", hosts: ["api.github.com"], use: "bearer" }],
  });
  const { id } = sandbox;
  return { world, id, bundle: (who = aPrincipal) => world.platform.evidence.bundle(who, id, aContext) };
}

const row = (world: World, sandboxId: string, more: Partial<EgressRow> = {}): EgressRow =>
  anEgressRow({ sandboxId, projectId: "p1", startedAt: world.clock.now(), endedAt: world.clock.now(), ...more });

const verified = (bundle: Evidence) => verifyEvidence(bundle, bundle.public_key);
const changed = (bundle: Evidence, change: (copy: Evidence) => void): Evidence => {
  const copy = JSON.parse(JSON.stringify(bundle)) as Evidence;
  change(copy);
  return copy;
};

describe("an evidence bundle", () => {
  it("has what was done to a sandbox and by it, and verifies", async () => {
    const { world, id, bundle } = await withSandbox();
    const { sandboxes, quarantine } = world.platform;
    await sandboxes.setNetwork(aPrincipal, id, closedPolicy, null, aContext);
    await world.stores.egress.append([row(world, id, { secrets: ["TOKEN"] })]);
    await quarantine.quarantine(aPrincipal, id, { reason: "odd" }, aContext);
    await sandboxes.kill(aPrincipal, id, aContext);
    const found = await bundle();
    expect(evidenceSchema.parse(JSON.parse(JSON.stringify(found)))).toEqual(JSON.parse(JSON.stringify(found)));
    const actions = found.audit.map(({ event }) => event["action"]);
    expect(actions).toEqual(["sandbox.create", "network.replace", "sandbox.quarantine", "sandbox.kill"]);
    expect(found).toMatchObject({
      ...{ project_id: "p1", sandbox_id: id, truncated: { audit: false, egress: false } },
      sandbox: { id, status: "deleted", end_reason: "killed", quarantine: { reason: "odd" } },
      counts: { audit: 4, egress: 1, network_policies: 2 },
      network_policies: [
        { version: 1, mode: "allow-all-but" },
        { version: 2, mode: "deny-all" },
      ],
      secrets: { in_env: ["DB_PASSWORD"], brokered: [{ name: "TOKEN", reference: "github#token" }], used: ["TOKEN"] },
      ...{ actors: [aPrincipal.keyId], keys: [aPrincipal.keyId] },
    });
    expect(found.checkpoint?.seq).toBeGreaterThanOrEqual(found.audit.at(-1)?.seq ?? 0);
    expect(verified(found)).toMatchObject({ ok: true, findings: [] });
    expect(JSON.stringify(found)).not.toMatch(/placeholder|not-to-be-found|nor-this/);
  });

  it("says what was changed in it", async () => {
    const { world, id, bundle } = await withSandbox();
    await world.stores.egress.append([row(world, id), row(world, id, { id: "r2", host: "evil.example" })]);
    const found = await bundle();
    const findings = (change: (copy: Evidence) => void) => verified(changed(found, change));
    expect(findings((copy) => (copy.egress[0] = { ...copy.egress[0], host: "good.example" })).findings).toContain(
      '"egress" is not what was signed',
    );
    expect(
      findings((copy) => {
        const [first] = copy.audit;
        if (first !== undefined) copy.audit[0] = { ...first, event: { ...first.event, actor: "somebody" } };
      }).findings,
    ).toEqual(
      expect.arrayContaining(['"audit" is not what was signed', "audit event 1 is not what its hash was made of"]),
    );
    expect(findings((copy) => void copy.egress.pop()).ok).toBe(false);
    expect(findings((copy) => (copy.made_at = "2020-01-01T00:00:00Z"))).toMatchObject({ ok: false, signed: false });
    expect(findings((copy) => (copy.signature = "AAAA"))).toMatchObject({ ok: false, signed: false });
  });

  it("is not another key's", async () => {
    const { bundle } = await withSandbox();
    const other = await (await withSandbox()).bundle();
    const found = await bundle();
    expect(verifyEvidence(found, other.public_key)).toMatchObject({ ok: false, signed: false });
  });

  it("is for those who may read the audit record of the project", async () => {
    const { world, id, bundle } = await withSandbox();
    const user: Principal = { ...aPrincipal, scopes: ["use"] };
    const stranger: Principal = { ...aPrincipal, projectId: "p2" };
    expect(await outcomeOf(bundle(user))).toEqual({ code: "FORBIDDEN" });
    // Also a second time, when the refusal itself stands in their record.
    for (let lap = 0; lap < 2; lap += 1) {
      expect(await outcomeOf(bundle(stranger))).toEqual({ code: "SANDBOX_NOT_FOUND" });
      expect(await outcomeOf(world.platform.sandboxes.kill(stranger, id, aContext))).toEqual({
        code: "SANDBOX_NOT_FOUND",
      });
      await world.clock.advance(10);
    }
    expect(await bundle({ ...aPrincipal, scopes: ["audit:read"] })).toMatchObject({ sandbox_id: id });
  });

  it("can be had when the sandbox's record is gone, by who reaches all environments", async () => {
    const { world, id, bundle } = await withSandbox();
    await world.platform.sandboxes.kill(aPrincipal, id, aContext);
    await world.clock.advance(2 * 86_400_000);
    expect(await world.stores.sandboxes.get(id)).toBeUndefined();
    const found = await bundle();
    expect(found).toMatchObject({
      sandbox: null,
      secrets: { in_env: ["DB_PASSWORD"] },
      counts: { network_policies: 1 },
    });
    expect(verified(found).ok).toBe(true);
    expect(await outcomeOf(bundle({ ...aPrincipal, environment: "dev" }))).toEqual({ code: "SANDBOX_NOT_FOUND" });
  });

  it("has the newest that fits, and says that there is more", async () => {
    const { world, id, bundle } = await withSandbox({ evidenceBytes: 3_000 });
    await world.stores.egress.append(
      Array.from({ length: 20 }, (_, index) => row(world, id, { id: `r${String(index).padStart(2, "0")}` })),
    );
    const found = await bundle();
    expect(found.truncated).toEqual({ audit: false, egress: true });
    expect(found.egress.length).toBeGreaterThan(0);
    expect(found.egress.length).toBeLessThan(20);
    expect(verified(found).ok).toBe(true);
  });
});
