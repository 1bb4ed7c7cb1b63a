import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decideDeadlines, expiresAt, leaseOf, overdue, withTimeout } from "#core/deadlines.ts";
import { aSandbox, aTemplate, startOfTime as now } from "#test/support/fixtures.ts";

const deployment = { idleTimeoutSeconds: 3600, maxLifetimeSeconds: 86_400 };
const seconds = fc.integer({ min: 1, max: 200_000 });
const maybeSeconds = fc.option(seconds, { nil: undefined });

describe("deadlines of a sandbox", () => {
  it("come from the request, else from the template, else from the deployment", () => {
    const plain = aTemplate();
    const own = aTemplate({ idleTimeoutSeconds: 60, maxLifetimeSeconds: 600 });
    expect(decideDeadlines({ timeoutSeconds: null }, plain, deployment, now)).toMatchObject(deployment);
    expect(decideDeadlines({ timeoutSeconds: null }, own, deployment, now)).toMatchObject({
      idleTimeoutSeconds: 60,
      maxLifetimeSeconds: 600,
    });
    const asked = { timeoutSeconds: 5, idleTimeoutSeconds: 7, maxLifetimeSeconds: 9 };
    expect(decideDeadlines(asked, own, deployment, now)).toEqual({
      timeoutSeconds: 5,
      timeoutAt: now + 5_000,
      idleTimeoutSeconds: 7,
      maxLifetimeSeconds: 9,
      lifetimeAt: now + 9_000,
    });
  });

  it("never outlast the deployment's maximum lifetime, whatever is asked for", () => {
    fc.assert(
      fc.property(
        fc.option(seconds),
        maybeSeconds,
        maybeSeconds,
        fc.option(seconds),
        fc.option(seconds),
        (timeoutSeconds, idle, lifetime, templateIdle, templateLifetime) => {
          const template = aTemplate({ idleTimeoutSeconds: templateIdle, maxLifetimeSeconds: templateLifetime });
          const asked = { timeoutSeconds, idleTimeoutSeconds: idle, maxLifetimeSeconds: lifetime };
          const deadlines = decideDeadlines(asked, template, deployment, now);
          expect(expiresAt(deadlines)).toBeLessThanOrEqual(now + deployment.maxLifetimeSeconds * 1000);
          expect(deadlines.idleTimeoutSeconds).toBeLessThanOrEqual(deadlines.maxLifetimeSeconds);
          if (timeoutSeconds !== null) {
            expect(expiresAt(deadlines)).toBeLessThanOrEqual(now + timeoutSeconds * 1000);
          }
        },
      ),
    );
  });

  it("count a new timeout from now, leave the lifetime alone, and lose it by null", () => {
    const { deadlines } = aSandbox();
    const later = now + 50_000;
    expect(withTimeout(deadlines, 10, later)).toEqual({ ...deadlines, timeoutSeconds: 10, timeoutAt: later + 10_000 });
    expect(withTimeout(withTimeout(deadlines, 10, later), null, later)).toEqual(deadlines);
  });

  it("stand in the lease in the agent's words", () => {
    const { deadlines } = aSandbox();
    expect(leaseOf(deadlines)).toEqual({ lifetime_at: deadlines.lifetimeAt, idle_ms: 3_600_000 });
    expect(leaseOf(withTimeout(deadlines, 1, now))).toMatchObject({ timeout_at: now + 1_000 });
  });
});

describe("overdue", () => {
  const sandbox = aSandbox({ deadlines: withTimeout(aSandbox().deadlines, 100, now) });

  it("names the deadline that passed first, and none before", () => {
    expect(overdue(sandbox, now + 99_999)).toBeNull();
    expect(overdue(sandbox, now + 100_000)).toBe("timeout");
    expect(overdue(sandbox, now + 90_000_000)).toBe("timeout");
    expect(overdue(aSandbox(), now + 3_600_000)).toBe("idle");
    expect(overdue(aSandbox({ lastActivityAt: now + 86_390_000 }), now + 90_000_000)).toBe("lifetime");
  });

  it("does not call a sandbox idle that is not running", () => {
    expect(overdue(aSandbox({ status: "creating" }), now + 3_600_000)).toBeNull();
  });
});
