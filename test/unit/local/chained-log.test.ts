import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Signal } from "#core/alerts/signals.ts";
import { checkChains } from "#core/audit-chain/self-check.ts";
import { makeChainedLog } from "#local/audit/chained-log.ts";
import { openAuditJournal } from "#local/audit/journal.ts";
import { noopLogger as logger } from "#telemetry/logger.ts";
import { anAuditEvent } from "#test/support/fixtures.ts";
import { makeMemoryChainStore, makeTestAuditSigner } from "#test/support/memory-chain.ts";
import { makeVirtualClock } from "#test/support/virtual-clock.ts";

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "bulkhead-audit-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const event = (index: number, projectId = "p1") =>
  anAuditEvent({ id: `event${String(index).padStart(15, "0")}`, projectId });

function open(store = makeMemoryChainStore()) {
  const { journal, left } = openAuditJournal(join(directory, "journal"));
  return { log: makeChainedLog({ journal, store, clock: makeVirtualClock(), logger }), left, store };
}

describe("the audit log of one machine", () => {
  it("does not hold up a project for another that cannot be chained", async () => {
    const store = makeMemoryChainStore();
    const broken = {
      ...store,
      extend: async (projectId: string, records: Parameters<typeof store.extend>[1]) => {
        if (projectId === "bad") throw new Error("too large");
        return store.extend(projectId, records);
      },
    };
    const { log } = open(broken);
    await Promise.all([log.append(event(1, "bad")), log.append(event(2)), log.append(event(3))]);
    await log.settle();
    expect((await store.head("p1")).seq).toBe(2);
    expect((await store.head("bad")).seq).toBe(0);
  });

  it("chains once what an earlier run had answered, however many", async () => {
    const first = open();
    const many = Array.from({ length: 130_000 }, (_, index) => event(index));
    await Promise.all(many.map((one) => first.log.append(one)));
    // Killed here: nothing was chained.
    const store = makeMemoryChainStore();
    const second = open(store);
    expect(await second.log.recover(second.left)).toBe(130_000);
    expect((await store.head("p1")).seq).toBe(130_000);
    expect(await second.log.recover(second.left.slice(-10_000))).toBe(0);
  }, 30_000);
});

describe("the platform's own look", () => {
  it("raises a chain that does not hold together, and no other", async () => {
    const { log, store } = open();
    await Promise.all([log.append(event(1)), log.append(event(2)), log.append(event(3, "p2"))]);
    await log.settle();
    const raised: Signal[] = [];
    const deps = {
      store,
      signer: makeTestAuditSigner(),
      signals: { raise: (signal: Signal) => void raised.push(signal) },
    };
    expect(await checkChains(deps)).toBe(0);
    for await (const records of store.segments("p1", { order: "oldest", from: null })) {
      Object.assign(records[0]?.event ?? {}, { actor: "somebody else" });
    }
    expect(await checkChains(deps)).toBe(1);
    expect(raised).toMatchObject([{ type: "audit.broken", projectId: "p1", seq: 1 }]);
  });
});
