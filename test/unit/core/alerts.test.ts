import { describe, expect, it } from "vitest";
import { makeAlerts } from "#core/alerts/alerts.ts";
import type { Alert, AlertStore } from "#core/alerts/model.ts";
import type { Signal } from "#core/alerts/signals.ts";
import { noopLogger } from "#telemetry/logger.ts";
import { makeVirtualClock } from "#test/support/virtual-clock.ts";

function setUp(store?: Partial<AlertStore>) {
  const clock = makeVirtualClock({ startAt: 1_800_000_000_000 });
  const stored = new Map<string, { alert: Alert; count: number }>();
  const notified: Alert[] = [];
  const held: string[] = [];
  let writes = 0;
  const alerts = makeAlerts({
    store: {
      async add(alert, more) {
        writes += 1;
        stored.set(alert.id, { alert, count: (stored.get(alert.id)?.count ?? 0) + more });
      },
      ...store,
    },
    sink: { notify: (alert) => void notified.push(alert) },
    clock,
    logger: noopLogger,
    quarantineOn: new Set(["decoy.used"] as const),
    quarantine: async (id, by) => void held.push(`${id} ${by}`),
  });
  return { clock, stored, notified, held, alerts, writes: () => writes };
}

const refused = (sourceIp: string): Signal => ({
  type: "auth.refused",
  plane: "control",
  code: "INVALID_API_KEY",
  sourceIp,
  projectId: null,
  keyId: null,
});
const denied = (sandboxId = "s1"): Signal => ({ type: "egress.denied", projectId: "p1", sandboxId, host: "x.test" });
const decoy = (sandboxId: string): Signal => ({
  type: "decoy.used",
  projectId: "p1",
  sandboxId,
  sourceIp: "192.0.2.1",
});

describe("alerts", () => {
  it("tells a burst of refusals from one address, and from many, and none below", async () => {
    const { alerts, notified, clock } = setUp();
    for (let i = 0; i < 19; i += 1) alerts.raise(refused("192.0.2.1"));
    await clock.advance(61_000);
    alerts.raise(refused("192.0.2.1"));
    expect(notified).toEqual([]);
    for (let i = 0; i < 19; i += 1) alerts.raise(refused("192.0.2.1"));
    expect(notified).toMatchObject([{ rule: "auth.refused", subject: "192.0.2.1", projectId: null }]);
    for (let i = 0; i < 80; i += 1) alerts.raise(refused(`198.51.100.${i}`));
    expect(notified.map(({ subject }) => subject)).toEqual(["192.0.2.1", "everywhere"]);
  });

  it("makes one alert of equal findings of an hour, says what to do, and stores the count", async () => {
    const { alerts, notified, stored, clock } = setUp();
    for (let i = 0; i < 5; i += 1) {
      alerts.raise({ type: "key.dead_used", projectId: "p1", keyId: "k1", state: "revoked", sourceIp: "192.0.2.1" });
    }
    await clock.advance(3_000);
    expect(notified).toHaveLength(1);
    expect(notified[0]?.text).toContain("Key k1, which is revoked, was shown by 192.0.2.1. First: ");
    expect(notified[0]?.text).toContain("docs/runbooks.md#key-dead-used");
    expect([...stored.values()].map(({ count }) => count)).toEqual([5]);
    await clock.advance(3_600_000);
    alerts.raise({ type: "key.dead_used", projectId: "p1", keyId: "k1", state: "revoked", sourceIp: "192.0.2.1" });
    expect(notified).toHaveLength(2);
  });

  it("tells denials above what a sandbox is used to", async () => {
    const { alerts, notified, clock } = setUp();
    for (let i = 0; i < 49; i += 1) alerts.raise(denied());
    expect(notified).toEqual([]);
    alerts.raise(denied());
    expect(notified).toMatchObject([{ rule: "egress.denied", subject: "s1" }]);
    // Another one is refused 40 times in each minute: sixty are nothing new for it.
    for (let minute = 0; minute < 30; minute += 1) {
      for (let i = 0; i < 40; i += 1) alerts.raise(denied("s2"));
      await clock.advance(60_000);
    }
    for (let i = 0; i < 60; i += 1) alerts.raise(denied("s2"));
    expect(notified).toHaveLength(1);
  });

  it("holds the sandbox once, where it is told to", async () => {
    const { alerts, held, clock, notified } = setUp();
    alerts.raise(decoy("s1"));
    alerts.raise(decoy("s1"));
    for (let i = 0; i < 60; i += 1) alerts.raise(denied("s2"));
    await clock.settle();
    expect(held).toEqual(["s1 alert:decoy.used"]);
    expect(notified[0]).toMatchObject({ severity: "critical", rule: "decoy.used" });
  });

  it("survives a storm of 100,000 signals with few notifications and writes", async () => {
    const { alerts, notified, stored, clock, writes } = setUp();
    for (let i = 0; i < 50_000; i += 1) {
      alerts.raise({ type: "key.dead_used", projectId: "p1", keyId: `k${i}`, state: "expired", sourceIp: null });
      alerts.raise(refused(`10.0.${i % 65_536}.1`));
    }
    alerts.raise(decoy("s1"));
    await clock.advance(5_000);
    await alerts.settled();
    const of = (project: string | null) => notified.filter(({ projectId }) => projectId === project);
    expect(of("p1").filter(({ rule }) => rule === "key.dead_used")).toHaveLength(20);
    expect(of("p1").filter(({ rule }) => rule === "alerts.suppressed")).toHaveLength(1);
    // What is critical is not drowned by what is not.
    expect(of("p1").filter(({ rule }) => rule === "decoy.used")).toHaveLength(1);
    expect(notified.length).toBeLessThan(30);
    expect(stored.size).toBeLessThan(2_100);
    expect(writes()).toBeLessThan(5_000);
    const dead = [...stored.values()].filter(({ alert }) => alert.rule === "key.dead_used");
    expect(dead.reduce((sum, { count }) => sum + count, 0)).toBe(50_000);
  });

  it("never throws, whatever its store does", async () => {
    const { alerts, notified, clock } = setUp({ add: () => Promise.reject(new Error("no table")) });
    alerts.raise(decoy("s1"));
    alerts.raise({ type: "instance.leaked", instanceId: "i1" });
    alerts.raise({ type: "audit.broken", projectId: "p1", seq: 7, what: "changed" });
    alerts.raise({ type: "spend.near", projectId: "p1", spentUsd: 9, capUsd: 10 });
    alerts.raise({ type: "key.overdue", projectId: "p1", keyId: "k1", rotateAt: 0 });
    await clock.settle();
    expect(notified.map(({ rule }) => rule)).toEqual([
      "decoy.used",
      "instance.leaked",
      "audit.broken",
      "spend.near",
      "key.overdue",
    ]);
  });
});
