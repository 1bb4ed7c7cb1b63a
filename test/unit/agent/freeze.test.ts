import { beforeEach, describe, expect, it } from "vitest";
import type { AgentClock } from "#agent/clock.ts";
import { makeFreezer } from "#agent/freeze/freezer.ts";
import { byDepth, type Processes } from "#agent/freeze/processes.ts";
import type { ProcessStat } from "#agent/proc.ts";

const born = (pid: number, parent: number, state = "S"): ProcessStat => ({
  ...{ pid, parent, state, name: `p${pid}`, group: pid, session: pid, cpuTicks: 0, startTicks: pid, residentPages: 1 },
});

/** A machine whose processes stop when the clock next moves, and time that moves when it is waited for. */
function machine(first: readonly ProcessStat[]) {
  let now = 0;
  let timers: { at: number; run: () => void }[] = [];
  const all = new Map(first.map((each) => [each.pid, each]));
  const signals: string[] = [];
  const stopping = new Set<number>();
  let onSignal: (pid: number) => void = () => {};
  const set = (pid: number, state: string) => {
    const each = all.get(pid);
    if (each !== undefined) all.set(pid, { ...each, state });
  };
  const processes: Processes = {
    list: () => [...all.values()],
    find: (pid) => all.get(pid),
    signal(pid, signal) {
      signals.push(`${signal} ${pid}`);
      if (signal === "SIGSTOP") stopping.add(pid);
      else set(pid, "S");
      onSignal(pid);
    },
  };
  /** To the next timer. */
  function tick(): void {
    const due = timers.sort((one, other) => one.at - other.at).shift();
    if (due === undefined) return;
    now = Math.max(now, due.at);
    for (const pid of stopping) set(pid, "T");
    stopping.clear();
    due.run();
  }
  const clock: AgentClock = {
    now: () => now,
    after(ms, run) {
      const timer = { at: now + ms, run };
      timers.push(timer);
      return () => {
        timers = timers.filter((each) => each !== timer);
      };
    },
  };
  /** Time passes until `work` is done. */
  async function whileTimePasses<T>(work: Promise<T>): Promise<T> {
    const done = new AbortController();
    void work.finally(() => done.abort()).catch(() => {});
    for (let turn = 0; turn < 100_000; turn += 1) {
      for (let micro = 0; micro < 8; micro += 1) await Promise.resolve();
      if (done.signal.aborted) break;
      tick();
    }
    return work;
  }
  return {
    clock,
    processes,
    signals,
    whileTimePasses,
    tick,
    state: (pid: number) => all.get(pid)?.state,
    set,
    add: (each: ProcessStat) => void all.set(each.pid, each),
    onSignal: (listener: (pid: number) => void) => {
      onSignal = listener;
    },
    /** Timers that wait. */
    waiting: () => timers.length,
  };
}

describe("levels of a process tree", () => {
  it("begin with those whose parents are not in the list", () => {
    const levels = byDepth([born(30, 20), born(20, 10), born(21, 10), born(10, 1)]);
    expect(levels.map((level) => level.map(({ pid }) => pid))).toEqual([[10], [20, 21], [30]]);
  });

  it("are found where pids were used again in a circle", () => {
    expect(byDepth([born(10, 20), born(20, 10)]).flat()).toHaveLength(2);
  });
});

describe("freezing", () => {
  let frozenTimers: string[];
  const timers = { freeze: () => void frozenTimers.push("freeze"), thaw: () => void frozenTimers.push("thaw") };

  beforeEach(() => {
    frozenTimers = [];
  });

  function setUp(first: readonly ProcessStat[]) {
    const on = machine(first);
    return { on, freezer: makeFreezer({ processes: on.processes, timers, clock: on.clock }) };
  }

  it("has parents stopped before it stops their children, and wakes children first", async () => {
    const { on, freezer } = setUp([born(12, 11), born(11, 10), born(10, 1)]);
    on.onSignal((pid) => {
      const parent = on.processes.find(pid)?.parent ?? 1;
      if (on.signals.at(-1)?.startsWith("SIGSTOP") === true) expect([undefined, "T"]).toContain(on.state(parent));
    });
    await on.whileTimePasses(freezer.freeze());
    expect(on.signals).toEqual(["SIGSTOP 10", "SIGSTOP 11", "SIGSTOP 12"]);
    on.signals.length = 0;
    await freezer.thaw();
    expect(on.signals).toEqual(["SIGCONT 12", "SIGCONT 11", "SIGCONT 10"]);
    expect(frozenTimers).toEqual(["freeze", "thaw"]);
  });

  it("stops what appears meanwhile", async () => {
    const { on, freezer } = setUp([born(10, 1)]);
    on.onSignal((pid) => {
      if (pid < 20) on.add(born(pid + 1, pid));
    });
    await on.whileTimePasses(freezer.freeze());
    for (let pid = 10; pid <= 20; pid += 1) expect(on.state(pid)).toBe("T");
  });

  it("leaves what the user had stopped as it is, frozen and thawed", async () => {
    const { on, freezer } = setUp([born(10, 1), born(11, 10, "T"), born(12, 10, "t")]);
    await on.whileTimePasses(freezer.freeze());
    await freezer.thaw();
    expect([on.state(10), on.state(11), on.state(12)]).toEqual(["S", "T", "t"]);
    expect(on.signals).toEqual(["SIGSTOP 10", "SIGCONT 10"]);
  });

  it("does not wait for the dead, nor for what the kernel holds", async () => {
    const { on, freezer } = setUp([born(10, 1, "Z"), born(11, 1, "D")]);
    on.onSignal((pid) => on.set(pid, pid === 10 ? "Z" : "D"));
    await freezer.freeze();
    expect(freezer.frozen).toBe(true);
  });

  it("that cannot keep up is undone", async () => {
    const { on, freezer } = setUp([born(10, 1)]);
    let next = 100;
    on.onSignal(() => {
      if (on.signals.at(-1)?.startsWith("SIGSTOP") === true && next < 20_000) on.add(born(next++, 10, "R"));
    });
    await expect(on.whileTimePasses(freezer.freeze())).rejects.toMatchObject({ code: "SERVICE_UNAVAILABLE" });
    expect(freezer.frozen).toBe(false);
    expect(on.processes.list().filter(({ state }) => state === "T")).toEqual([]);
    expect(frozenTimers).toEqual(["freeze", "thaw"]);
    expect(on.waiting()).toBe(0);
  });

  it("and thawing can be repeated", async () => {
    const { on, freezer } = setUp([born(10, 1)]);
    await freezer.thaw();
    expect(on.signals).toEqual([]);
    await on.whileTimePasses(freezer.freeze());
    await freezer.freeze();
    await freezer.thaw();
    await freezer.thaw();
    expect(on.signals).toEqual(["SIGSTOP 10", "SIGCONT 10"]);
    expect(on.waiting()).toBe(0);
  });

  it("is not overtaken by a thaw", async () => {
    const { on, freezer } = setUp([born(10, 1), born(11, 10)]);
    await on.whileTimePasses(Promise.all([freezer.freeze(), freezer.thaw()]));
    expect([on.state(10), on.state(11), freezer.frozen]).toEqual(["S", "S", false]);
  });

  it("also stops what began a moment too late, and lets it go on with the rest", async () => {
    const { on, freezer } = setUp([born(10, 1)]);
    await on.whileTimePasses(freezer.freeze());
    on.add(born(11, 1));
    on.tick();
    on.tick();
    expect(on.state(11)).toBe("T");
    await freezer.thaw();
    expect(on.state(11)).toBe("S");
  });

  it("does not wake another process that has the pid of one it stopped", async () => {
    const { on, freezer } = setUp([born(10, 1)]);
    await on.whileTimePasses(freezer.freeze());
    on.add({ ...born(10, 1, "T"), startTicks: 999 });
    await freezer.thaw();
    expect(on.state(10)).toBe("T");
  });
});
