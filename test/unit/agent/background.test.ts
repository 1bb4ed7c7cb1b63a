import { describe, expect, it } from "vitest";
import { viewOf } from "#agent/background/entry.ts";
import { type Follow, makeRegistry, type Work } from "#agent/background/registry.ts";
import type { Delivery } from "#agent/callback/delivery.ts";
import type { RichResult } from "#agent/exec/run.ts";
import { BulkheadError } from "#contracts/errors.ts";
import { noopLogger } from "#telemetry/logger.ts";

const labels = { name: "n", language: "python", command: "c" };
const result: RichResult = {
  ...{ stdout: "", stderr: "", exitCode: 0, timedOut: false, durationMs: 1, pid: 1, report: undefined },
};

/** A registry whose time is a counter. */
function fixture() {
  let now = 1_800_000_000_000;
  const clock = { now: () => (now += 1000), after: () => () => {} };
  return makeRegistry({ clock, logger: noopLogger });
}

/** A run that goes on until it is told to end, or is killed. */
function endless(pid = 77) {
  let end: (ended: RichResult) => void = () => {};
  let follow: Follow | undefined;
  const work: Work = (given) => {
    follow = given;
    given.onStart(pid);
    return new Promise((resolve) => {
      end = resolve;
      given.signal.addEventListener("abort", () => resolve({ ...result, exitCode: 143 }));
    });
  };
  return {
    work,
    end: (ended = result) => end(ended),
    output: (text: string) => void follow?.onOutput("stdout", Buffer.from(text)),
  };
}

const quick: Work = async (follow) => {
  follow.onStart(1);
  return result;
};

const delivery = (status: Delivery["status"]): Delivery => ({
  status,
  attempts: 1,
  lastError: null,
  send: async () => {},
});

describe("the registry of background processes", () => {
  it("shows a run while it goes on and after its end", async () => {
    const registry = fixture();
    const run = endless();
    const { entry, ended } = await registry.start(labels, run.work);
    run.output("héllo\n");
    expect(viewOf(entry, entry.startedAt + 5000)).toMatchObject({
      ...{ name: "n", status: "running", pid: 77, exit_code: null, end_time: null, duration: 5 },
    });
    expect(registry.running()).toBe(1);
    run.end({ ...result, exitCode: 3 });
    await ended;
    expect(entry).toMatchObject({ status: "failed", exitCode: 3 });
    expect(entry.stdout.text()).toBe("héllo\n");
    expect(registry.running()).toBe(0);
  });

  it("finds it by each of its ids, a pid's living owner first, and nothing by what is no id", async () => {
    const registry = fixture();
    const [first, second, unstarted] = [endless(5), endless(5), endless()];
    const one = await registry.start(labels, first.work);
    first.end();
    await one.ended;
    expect(registry.find("5")).toBe(one.entry);
    const two = await registry.start(labels, second.work);
    expect(registry.find("5")).toBe(two.entry);
    expect(registry.find(one.entry.executionId)).toBe(one.entry);
    expect(registry.find(one.entry.id)).toBe(one.entry);
    void registry.start(labels, ({ signal }) => unstarted.work({ ...({} as Follow), signal, onStart: () => {} }));
    for (const nothing of ["null", "undefined", "", "0", "NaN"]) expect(registry.find(nothing)).toBeUndefined();
  });

  it("kills, again and again", async () => {
    const registry = fixture();
    const { entry } = await registry.start(labels, endless().work);
    await Promise.all([registry.kill(entry), registry.kill(entry)]);
    expect(entry).toMatchObject({ status: "killed", exitCode: 143 });
    await registry.kill(entry);
    expect(entry.status).toBe("killed");
  });

  it("keeps nothing of what could not be started, and what ended in a later step", async () => {
    const registry = fixture();
    const failure = new BulkheadError("EXECUTION_FAILED", "The process limit of the sandbox is reached.");
    await expect(registry.start(labels, () => Promise.reject(failure))).rejects.toBe(failure);
    expect(registry.list()).toEqual([]);
    const { entry, ended } = await registry.start(labels, async ({ onStart }) => {
      onStart(9);
      await Promise.resolve();
      throw failure;
    });
    await expect(ended).rejects.toBe(failure);
    expect(entry.status).toBe("failed");
    expect(entry.stderr.text()).toBe("The process limit of the sandbox is reached.\n");
  });

  it("refuses the one too many, counting those that are still to be reported", async () => {
    const registry = fixture();
    const runs = [];
    for (let count = 0; count < 199; count += 1) runs.push(await registry.start(labels, endless(count + 1).work));
    const reporting = await registry.start(labels, quick);
    await reporting.ended;
    reporting.entry.delivery = delivery("delivering");
    const refused = registry.start(labels, quick);
    await expect(refused).rejects.toMatchObject({
      code: "RESOURCE_LIMIT_ERROR",
      details: { limit: 200, current: 200 },
    });
    await expect(refused).rejects.toThrow(/limit/);
    reporting.entry.delivery = delivery("failed");
    await (await registry.start(labels, quick)).ended;
    expect(registry.running()).toBe(199);
  });

  it("forgets what ended first, not what ran longest, nor what is still to be reported", async () => {
    const registry = fixture();
    const long = endless();
    const longest = await registry.start(labels, long.work);
    const reporting = await registry.start(labels, quick);
    await reporting.ended;
    reporting.entry.delivery = delivery("delivering");
    const first = await registry.start(labels, quick);
    for (let count = 0; count < 199; count += 1) await (await registry.start(labels, quick)).ended;
    expect(registry.find(first.entry.id)).toBe(first.entry);
    long.end();
    await longest.ended;
    expect(registry.find(first.entry.id)).toBeUndefined();
    expect(registry.find(longest.entry.id)).toBe(longest.entry);
    expect(registry.find(reporting.entry.id)).toBe(reporting.entry);
    expect(registry.list()).toHaveLength(201);
  });

  it("keeps no more bytes of ended ones than it may", async () => {
    const registry = fixture();
    const flood: Work = async ({ onStart, onOutput }) => {
      onStart(1);
      void onOutput("stdout", Buffer.alloc(1024 * 1024, "x"));
      void onOutput("stderr", Buffer.alloc(1024 * 1024, "x"));
      return result;
    };
    for (let count = 0; count < 150; count += 1) await (await registry.start(labels, flood)).ended;
    const bytes = registry.list().reduce((sum, { stdout, stderr }) => sum + stdout.room() + stderr.room(), 0);
    expect(registry.list().length).toBeGreaterThan(10);
    expect(bytes).toBeLessThanOrEqual(16 * 1024 * 1024);
  });
});
