import { describe, expect, it } from "vitest";
import { makeDelivery } from "#agent/callback/delivery.ts";
import { signatureOf } from "#agent/callback/headers.ts";
import type { Outcome } from "#agent/callback/post.ts";
import { callbackTarget } from "#agent/callback/target.ts";
import { makeTurns } from "#agent/callback/turns.ts";
import { makeActiveTimers } from "#agent/timers.ts";
import { noopLogger } from "#telemetry/logger.ts";
import { makeVirtualClock } from "#test/support/virtual-clock.ts";

/** A receiver whose answers come in turn; the last one stays. */
function delivering(...outcomes: Outcome[]) {
  const clock = makeVirtualClock();
  const at: number[] = [];
  const timers = makeActiveTimers({
    now: () => clock.now(),
    after: (ms, run) => {
      const timer = clock.after(ms, run);
      return () => timer.cancel();
    },
  });
  const delivery = makeDelivery({
    timers,
    logger: noopLogger,
    inTurn: makeTurns(8),
    random: () => 0,
    async post() {
      at.push(clock.now());
      return outcomes[Math.min(at.length, outcomes.length) - 1] ?? { kind: "taken" };
    },
  });
  return { clock, delivery, timers, at };
}

const later: Outcome = { kind: "later", why: "the receiver answered 500" };

describe("a callback", () => {
  it("is sent once when it is taken", async () => {
    const { delivery } = delivering({ kind: "taken" });
    expect(delivery.status).toBe("waiting");
    await delivery.send(() => "{}");
    expect(delivery).toMatchObject({ status: "delivered", attempts: 1, lastError: null });
  });

  it("is sent again, later and later, while the receiver cannot take it", async () => {
    const { clock, delivery, at } = delivering(later, later, { kind: "taken" });
    const sent = delivery.send(() => "{}");
    await clock.advance(60_000);
    await sent;
    expect(delivery).toMatchObject({ status: "delivered", attempts: 3, lastError: "the receiver answered 500" });
    expect((at[2] ?? 0) - (at[1] ?? 0)).toBeGreaterThan((at[1] ?? 0) - (at[0] ?? 0));
  });

  it("is given up in the end, and at once when the receiver refuses it", async () => {
    const patient = delivering(later);
    const sent = patient.delivery.send(() => "{}");
    await patient.clock.advance(600_000);
    await sent;
    expect(patient.delivery).toMatchObject({ status: "failed", attempts: 5 });
    const refused = delivering({ kind: "refused", why: "the receiver answered 302" });
    await refused.delivery.send(() => "{}");
    expect(refused.delivery).toMatchObject({ status: "failed", attempts: 1, lastError: "the receiver answered 302" });
  });

  it("waits while the sandbox is frozen", async () => {
    const { clock, delivery, timers } = delivering(later, { kind: "taken" });
    const sent = delivery.send(() => "{}");
    await clock.advance(100);
    timers.freeze();
    await clock.advance(600_000);
    expect(delivery.attempts).toBe(1);
    timers.thaw();
    await clock.advance(2_000);
    await sent;
    expect(delivery.status).toBe("delivered");
  });

  it("fails, and is not sent again, when it cannot even be made", async () => {
    const { delivery } = delivering({ kind: "taken" });
    await delivery.send(() => {
      throw new Error("no body");
    });
    expect(delivery).toMatchObject({ status: "failed", attempts: 1, lastError: "it could not be sent" });
  });

  it("waits for its turn", async () => {
    const inTurn = makeTurns(2);
    const ends: (() => void)[] = [];
    let open = 0;
    const work = () =>
      new Promise<void>((resolve) => {
        open += 1;
        ends.push(() => {
          open -= 1;
          resolve();
        });
      });
    const all = [1, 2, 3, 4].map(() => inTurn(work));
    const settle = () => new Promise((resolve) => setImmediate(resolve));
    for (let ended = 0; ended < 4; ended += 1) {
      await settle();
      expect(open).toBe(Math.min(2, 4 - ended));
      ends[ended]?.();
    }
    await Promise.all(all);
    await expect(inTurn(() => Promise.reject(new Error("broken")))).rejects.toThrow("broken");
    const after = [inTurn(work), inTurn(work)];
    await settle();
    expect(open).toBe(2);
    for (const end of ends) end();
    await Promise.all(after);
  });

  it("is signed over its bytes", () => {
    // printf '{"a":1}' | openssl dgst -sha256 -hmac key
    expect(signatureOf("key", '{"a":1}')).toBe(
      "sha256=88a67f24bbcdaed0e6c997404bb79a743baf44c6bab2f4c27328e3009d22e342",
    );
  });

  it.each(["ftp://a.example/", "javascript:alert(1)", "/relative", "http://", "http://user:pass@a.example/"])(
    "cannot go to %s",
    (url) => {
      expect(() => callbackTarget(url)).toThrow(expect.objectContaining({ code: "INVALID_REQUEST" }) as Error);
    },
  );
});
