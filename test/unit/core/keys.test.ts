import { describe, expect, it } from "vitest";
import { apiKeySchema } from "#contracts/ids.ts";
import type { Signal } from "#core/alerts/signals.ts";
import type { Principal } from "#core/model.ts";
import { aContext, aPrincipal, startOfTime } from "#test/support/fixtures.ts";
import { makeWorld, outcomeOf } from "./world.ts";

const day = 86_400_000;

describe("API keys", () => {
  it("are shown once, stored as a hash, and expire after 90 days by default", async () => {
    const { platform, stores } = await makeWorld();
    const { record, key } = await platform.keys.create(aPrincipal, { name: "mine" }, aContext);
    expect(apiKeySchema.parse(key)).toContain(record.id);
    expect(record.expiresAt).toBe(startOfTime + 90 * day);
    const secret = key.slice(key.indexOf(".") + 1);
    const stored = JSON.stringify([await stores.keys.get(record.id), stores.audit.events]);
    expect(stored).not.toContain(secret);
  });

  it("authenticate their project with their scopes, and note their use at most once a minute", async () => {
    const world = await makeWorld();
    const { record, key } = await world.platform.keys.create(aPrincipal, { name: "k", scopes: ["use"] }, aContext);
    expect(await world.platform.keys.authenticate(key)).toEqual({
      projectId: "p1",
      keyId: record.id,
      scopes: ["use"],
      environment: null,
    });
    await world.platform.keys.authenticate(key);
    await world.clock.settle();
    expect(world.calls.filter((call) => call === "keys.markUsed")).toHaveLength(1);
    expect(world.calls.filter((call) => call === "keys.get")).toHaveLength(1);
    expect((await world.stores.keys.get(record.id))?.lastUsedAt).toBe(startOfTime);
  });

  it("still authenticate when their use cannot be noted", async () => {
    const world = await makeWorld();
    const { key } = await world.platform.keys.create(aPrincipal, { name: "k" }, aContext);
    world.faults = { before: (call) => fail(call === "keys.markUsed") };
    await expect(world.platform.keys.authenticate(key)).resolves.toMatchObject({ projectId: "p1" });
    await world.clock.settle();
  });

  it("are refused when unknown, misshapen, or with another secret", async () => {
    const { platform } = await makeWorld();
    const { key } = await platform.keys.create(aPrincipal, { name: "k" }, aContext);
    const other = `${key.slice(0, -1)}${key.endsWith("A") ? "B" : "A"}`;
    for (const raw of ["", "nonsense", other, `hopx_live_${"z".repeat(12)}.${"a".repeat(43)}`]) {
      expect(await outcomeOf(platform.keys.authenticate(raw))).toEqual({ code: "INVALID_API_KEY" });
    }
  });

  it("end at their expiry, and the answer says so", async () => {
    const { platform, clock } = await makeWorld();
    const { key } = await platform.keys.create(aPrincipal, { name: "k", expiresInSeconds: 60 }, aContext);
    await platform.keys.authenticate(key);
    await clock.advance(59_999);
    await platform.keys.authenticate(key);
    await clock.advance(1);
    await expect(platform.keys.authenticate(key)).rejects.toThrow(/expired/);
  });

  it("live for ever when asked to", async () => {
    const { platform, clock } = await makeWorld();
    const { key, record } = await platform.keys.create(aPrincipal, { name: "k", expiresInSeconds: null }, aContext);
    expect(record.expiresAt).toBeNull();
    await clock.advance(1000 * day);
    await platform.keys.authenticate(key);
  });

  it("end at once when revoked, and within five seconds when revoked by another process", async () => {
    const { platform, clock, stores } = await makeWorld();
    const [one, two] = [
      await platform.keys.create(aPrincipal, { name: "1" }, aContext),
      await platform.keys.create(aPrincipal, { name: "2" }, aContext),
    ];
    await platform.keys.authenticate(one.key);
    await platform.keys.authenticate(two.key);
    await platform.keys.revoke(aPrincipal, one.record.id, aContext);
    await platform.keys.revoke(aPrincipal, one.record.id, aContext);
    await expect(platform.keys.authenticate(one.key)).rejects.toThrow(/revoked/);
    await platform.keys.authenticate(two.key);
    await stores.keys.revoke(two.record.id, clock.now());
    await clock.advance(5_000);
    await expect(platform.keys.authenticate(two.key)).rejects.toThrow(/revoked/);
  });

  it("of another project can be neither seen nor revoked", async () => {
    const { platform } = await makeWorld();
    const { record } = await platform.keys.create(aPrincipal, { name: "k" }, aContext);
    const stranger: Principal = { ...aPrincipal, projectId: "p2" };
    expect(await platform.keys.list(stranger, aContext)).toEqual([]);
    for (const id of [record.id, "nosuchkey000"]) {
      expect(await outcomeOf(platform.keys.revoke(stranger, id, aContext))).toEqual({ code: "RESOURCE_NOT_FOUND" });
    }
    expect(await platform.keys.list(aPrincipal, aContext)).toHaveLength(1);
  });

  it("need the scope manage to be handled, and give no more than their maker has", async () => {
    const { platform, audited } = await makeWorld();
    const user: Principal = { ...aPrincipal, scopes: ["use"] };
    const manager: Principal = { ...aPrincipal, scopes: ["manage"] };
    const refused = { code: "FORBIDDEN" };
    expect(await outcomeOf(platform.keys.create(user, { name: "k" }, aContext))).toEqual(refused);
    expect(await outcomeOf(platform.keys.list(user, aContext))).toEqual(refused);
    expect(await outcomeOf(platform.keys.revoke(user, "x", aContext))).toEqual(refused);
    expect(await outcomeOf(platform.keys.create(manager, { name: "k", scopes: ["admin"] }, aContext))).toEqual(refused);
    expect(audited("key.create").map((event) => event.outcome)).toEqual(["refused", "refused"]);
  });

  it("begin with one that the platform makes", async () => {
    const { platform, audited } = await makeWorld();
    const { key } = await platform.keys.bootstrap({ projectId: "p9", name: "first" });
    expect(await platform.keys.authenticate(key)).toMatchObject({ projectId: "p9", scopes: ["admin"] });
    expect(audited("key.bootstrap")).toMatchObject([{ outcome: "allowed", actor: "system" }]);
  });

  it("are not issued when the id is taken", async () => {
    const world = await makeWorld();
    world.stores.keys.insert = async () => "lost";
    expect(await outcomeOf(world.platform.keys.create(aPrincipal, { name: "k" }, aContext))).toEqual({
      code: "CONFLICT",
    });
  });
});

function fail(really: boolean): void {
  if (really) throw new Error("injected");
}

describe("an address that tries keys", () => {
  const wrong = (count: number) => `hopx_live_${"a".repeat(12)}.${String(count).padStart(43, "b")}`;
  const shown = { sourceIp: "192.0.2.1", plane: "control" as const };

  it("has twenty tries, then one a second, and costs no look-up meanwhile; other addresses are not concerned", async () => {
    const { platform, clock, calls } = await makeWorld();
    const answers: unknown[] = [];
    for (let count = 0; count < 100; count += 1) {
      answers.push(await outcomeOf(platform.keys.authenticate(wrong(count), shown)));
    }
    expect(answers.filter((answer) => (answer as { code: string }).code === "INVALID_API_KEY")).toHaveLength(20);
    expect(calls.filter((call) => call === "keys.get")).toHaveLength(20);
    await expect(platform.keys.authenticate(wrong(0), { ...shown, sourceIp: "192.0.2.2" })).rejects.toThrow(/Unknown/);
    const atOnce = await Promise.all(
      Array.from({ length: 100 }, (_, count) =>
        outcomeOf(platform.keys.authenticate(wrong(count), { ...shown, sourceIp: "192.0.2.3" })),
      ),
    );
    expect(atOnce.filter((answer) => (answer as { code: string }).code === "INVALID_API_KEY")).toHaveLength(20);
    await clock.advance(3000);
    for (let count = 0; count < 3; count += 1) {
      await expect(platform.keys.authenticate(wrong(count), shown)).rejects.toThrow(/Unknown/);
    }
    await expect(platform.keys.authenticate(wrong(4), shown)).rejects.toThrow(/Too many/);
  });

  it("is told of, and so are keys that have ended, in signals that carry no key", async () => {
    const raised: Signal[] = [];
    const signals = { raise: (signal: Signal) => void raised.push(signal) };
    const { platform } = await makeWorld({}, { ports: (ports) => ({ ...ports, signals }) });
    const { key, record } = await platform.keys.create(aPrincipal, { name: "k" }, aContext);
    await platform.keys.revoke(aPrincipal, record.id, aContext);
    await outcomeOf(platform.keys.authenticate(wrong(1), shown));
    await outcomeOf(platform.keys.authenticate(key, shown));
    expect(raised.map(({ type }) => type)).toEqual(["auth.refused", "key.dead_used", "auth.refused"]);
    expect(JSON.stringify(raised)).not.toContain(key);
  });
});

describe("rotation", () => {
  it("gives a key with the same rights, and ends the old one after the overlap", async () => {
    const { platform, clock } = await makeWorld();
    const old = await platform.keys.create(aPrincipal, { name: "k", scopes: ["use"], environment: "dev" }, aContext);
    await clock.advance(10 * day);
    const { record, key } = await platform.keys.rotate(aPrincipal, old.record.id, 3600, aContext);
    expect(record).toMatchObject({ name: "k", scopes: ["use"], environment: "dev", expiresAt: clock.now() + 90 * day });
    await platform.keys.authenticate(old.key);
    await clock.advance(3_600_000);
    await expect(platform.keys.authenticate(old.key)).rejects.toThrow(/replaced/);
    await platform.keys.authenticate(key);
    expect(await outcomeOf(platform.keys.rotate(aPrincipal, old.record.id, 1, aContext))).toEqual({ code: "CONFLICT" });
  });

  it("of two at once makes one key", async () => {
    const { platform, stores } = await makeWorld();
    const { record } = await platform.keys.create(aPrincipal, { name: "k" }, aContext);
    const both = await Promise.all(
      [1, 2].map(() => outcomeOf(platform.keys.rotate(aPrincipal, record.id, 1, aContext))),
    );
    expect(both.filter((one) => "code" in (one as object))).toEqual([{ code: "CONFLICT" }]);
    expect((await stores.keys.list("p1")).filter((one) => one.revokedAt === null)).toHaveLength(2);
  });
});

describe("a deployment's rules for keys", () => {
  it("hold every key to the longest life, and say it", async () => {
    const { platform } = await makeWorld({ keys: { maxSeconds: 86_400 } });
    const { record } = await platform.keys.create(aPrincipal, { name: "k" }, aContext);
    expect(record.expiresAt).toBe(startOfTime + day);
    for (const expiresInSeconds of [null, 86_401]) {
      await expect(platform.keys.create(aPrincipal, { name: "k", expiresInSeconds }, aContext)).rejects.toThrow(
        /1 days at most/,
      );
    }
  });

  it("keep environments apart: a key makes keys of its own only", async () => {
    const { platform } = await makeWorld();
    const dev: Principal = { ...aPrincipal, environment: "dev" };
    expect((await platform.keys.create(dev, { name: "k" }, aContext)).record.environment).toBe("dev");
    const whole = await platform.keys.create(aPrincipal, { name: "all environments" }, aContext);
    expect(await outcomeOf(platform.keys.revoke(dev, whole.record.id, aContext))).toEqual({
      code: "RESOURCE_NOT_FOUND",
    });
    expect(await outcomeOf(platform.keys.create(dev, { name: "k", environment: "prod" }, aContext))).toEqual({
      code: "FORBIDDEN",
    });
  });
});
