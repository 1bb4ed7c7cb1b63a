import { beforeEach, describe, expect, it } from "vitest";
import type { AgentClock } from "#agent/clock.ts";
import { makeLifecycle } from "#agent/lifecycle.ts";
import type { ActivateRequest, Lease } from "#contracts/agent-control.ts";

/** A clock whose timers fire when `advance` passes them. */
function virtualClock() {
  let now = 1_000_000;
  let timers: { at: number; callback: () => void }[] = [];
  const clock: AgentClock = {
    now: () => now,
    after(delayMs, callback) {
      const timer = { at: now + delayMs, callback };
      timers.push(timer);
      return () => {
        timers = timers.filter((each) => each !== timer);
      };
    },
  };
  function advance(ms: number): void {
    const until = now + ms;
    for (;;) {
      const due = timers.filter((each) => each.at <= until).sort((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      timers = timers.filter((each) => each !== due);
      now = due.at;
      due.callback();
    }
    now = until;
  }
  return { clock, advance };
}

const hour = 3_600_000;

describe("lifecycle", () => {
  let time: ReturnType<typeof virtualClock>;
  let ends: string[];
  let lifecycle: ReturnType<typeof makeLifecycle>;

  const request = (lease: Partial<Lease> = {}): ActivateRequest => ({
    sandbox_id: "s1",
    env: { A: "1" },
    lease: { lifetime_at: time.clock.now() + 24 * hour, idle_ms: hour, ...lease },
    internet_access: true,
    resources: { vcpu: 1, memory_mb: 512, disk_mb: 512 },
  });

  beforeEach(() => {
    time = virtualClock();
    ends = [];
    lifecycle = makeLifecycle(time.clock, (cause) => ends.push(cause));
  });

  it("waits without a deadline while warm", () => {
    time.advance(100 * hour);
    expect(ends).toEqual([]);
    expect(lifecycle.state()).toMatchObject({ state: "warm" });
  });

  it("serves one sandbox, once", () => {
    lifecycle.activate(request());
    lifecycle.setEnv({ B: "2" });
    lifecycle.activate(request());
    expect(lifecycle.env()).toEqual({ B: "2" });
    expect(() => lifecycle.activate({ ...request(), sandbox_id: "s2" })).toThrow(
      expect.objectContaining({ code: "CONFLICT" }),
    );
    expect(lifecycle.state()).toMatchObject({ state: "active", sandbox_id: "s1" });
  });

  it("ends at the first deadline that passes, once", () => {
    lifecycle.activate(request({ timeout_at: time.clock.now() + 10_000 }));
    time.advance(9_999);
    expect(ends).toEqual([]);
    time.advance(1);
    expect(ends).toEqual(["timeout"]);
    time.advance(100 * hour);
    expect(ends).toEqual(["timeout"]);
  });

  it("ends for its lifetime although it is busy", () => {
    lifecycle.activate(request({ lifetime_at: time.clock.now() + 2 * hour }));
    void lifecycle.execution(() => new Promise(() => {}));
    time.advance(2 * hour);
    expect(ends).toEqual(["lifetime"]);
  });

  it("is not idle while it is used", () => {
    lifecycle.activate(request());
    for (let i = 0; i < 5; i += 1) {
      time.advance(hour - 1);
      lifecycle.touch();
    }
    time.advance(hour - 1);
    expect(ends).toEqual([]);
    time.advance(1);
    expect(ends).toEqual(["idle"]);
  });

  it("is not idle while an execution runs, and is idle an hour after its end", async () => {
    lifecycle.activate(request());
    let finish = (): void => {};
    const run = lifecycle.execution(() => new Promise<void>((resolve) => (finish = resolve)));
    time.advance(5 * hour);
    expect(lifecycle.state().active_executions).toBe(1);
    finish();
    await run;
    time.advance(hour - 1);
    expect(ends).toEqual([]);
    time.advance(1);
    expect(ends).toEqual(["idle"]);
  });

  it("takes new deadlines", () => {
    expect(() => lifecycle.renew(request().lease)).toThrow(expect.objectContaining({ code: "CONFLICT" }));
    lifecycle.activate(request({ timeout_at: time.clock.now() + 1000 }));
    lifecycle.renew({ ...request().lease, timeout_at: time.clock.now() + 5000 });
    time.advance(4999);
    expect(ends).toEqual([]);
    time.advance(1);
    expect(ends).toEqual(["timeout"]);
  });

  it("ends at once when a new deadline has passed already", () => {
    lifecycle.activate(request());
    lifecycle.renew({ ...request().lease, timeout_at: time.clock.now() - 1 });
    expect(ends).toEqual(["timeout"]);
  });

  it("tells of its variables whenever they change, and which are secrets", () => {
    const told: unknown[] = [];
    lifecycle = makeLifecycle(
      time.clock,
      () => {},
      (env, names) => told.push([env, names]),
    );
    lifecycle.activate({ ...request(), secret_names: ["A"] });
    lifecycle.activate({ ...request(), secret_names: ["A"] });
    lifecycle.setEnv({ B: "2" });
    expect(told).toEqual([
      [{ A: "1" }, ["A"]],
      [{ B: "2" }, ["A"]],
    ]);
  });
});
