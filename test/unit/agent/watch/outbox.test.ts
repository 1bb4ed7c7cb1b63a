import { describe, expect, it } from "vitest";
import { makeBudget } from "#agent/watch/budget.ts";
import { makeOutbox } from "#agent/watch/outbox.ts";

/** A caller who reads when told to. */
function slowCaller() {
  const read: unknown[] = [];
  let readOn = (): void => {};
  let slow = false;
  return {
    read,
    send: (frame: object) => {
      read.push(frame);
      if (!slow) return undefined;
      return new Promise<void>((resolve) => (readOn = resolve));
    },
    setSlow: (value: boolean) => (slow = value),
    async readOn() {
      readOn();
      await new Promise(setImmediate);
    },
  };
}

const dropped = (count: number) => ({ dropped: count });
const frames = (count: number) => Array.from({ length: count }, (_, n) => ({ n }));

describe("an outbox", () => {
  it("sends at once while the caller keeps up", () => {
    const caller = slowCaller();
    const outbox = makeOutbox(caller.send, dropped);
    for (const frame of frames(5)) outbox.push(frame);
    expect(caller.read).toEqual(frames(5));
  });

  it("keeps the order and a bounded number for a slow one, and says once how many it dropped", async () => {
    const caller = slowCaller();
    caller.setSlow(true);
    const outbox = makeOutbox(caller.send, dropped, 10);
    for (const frame of frames(100)) outbox.push(frame);
    expect(caller.read).toEqual(frames(1));
    caller.setSlow(false);
    await caller.readOn();
    expect(caller.read).toEqual([...frames(11), { dropped: 89 }]);
    outbox.push({ n: "next" });
    expect(caller.read.at(-1)).toEqual({ n: "next" });
  });
});

describe("a budget", () => {
  it("is refused past its limit with a typed error, and can be given back", () => {
    const budget = makeBudget({ sockets: 1, directories: 2, names: 3 });
    budget.take("directories", 2);
    expect(() => budget.take("directories", 1)).toThrow(expect.objectContaining({ code: "RESOURCE_LIMIT_ERROR" }));
    budget.give("directories", 1);
    budget.take("directories", 1);
    budget.take("names", 3);
  });
});
