import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeChainStore } from "#aws/audit-chain-store.ts";
import { ensureTable } from "#aws/stores.ts";
import { type ChainHead, chain, emptyHead } from "#core/audit-chain/link.ts";
import { makeChainVerifier } from "#core/audit-chain/verify.ts";
import type { AuditEvent } from "#core/model.ts";
import { systemClock as clock } from "#core/system-clock.ts";
import { makeChainedLog } from "#local/audit/chained-log.ts";
import { openAuditJournal } from "#local/audit/journal.ts";
import { noopLogger as logger } from "#telemetry/logger.ts";
import { openTestDatabase } from "#test/contract/world.ts";
import { anAuditEvent } from "#test/support/fixtures.ts";
import type { Row } from "../report.ts";
import { summarize } from "../statistics.ts";

const events = (count: number, from = 0): AuditEvent[] =>
  Array.from({ length: count }, (_, index) =>
    anAuditEvent({
      id: `event${String(from + index).padStart(15, "0")}`,
      at: 1_800_000_000_000 + from + index,
      action: "exec.run",
      details: { method: "POST", path: "/execute", status: 200, executed: { sha256: "a".repeat(64), bytes: 120 } },
    }),
  );

/** Appending through the journal into the chain in the database of one machine, and reading it all back in order. */
async function appending(count: number): Promise<Row[]> {
  const directory = await mkdtemp(join(tmpdir(), "bulkhead-bench-audit-"));
  const database = await openTestDatabase();
  try {
    const { client, table } = await database.makeWorld();
    await ensureTable(client, table, clock);
    const store = makeChainStore({ client, table, clock, logger });
    const log = makeChainedLog({ journal: openAuditJournal(join(directory, "journal")).journal, store, clock, logger });
    const waits: number[] = [];
    const from = performance.now();
    for (let begin = 0; begin < count; begin += 100) {
      const asked = performance.now();
      await Promise.all(events(100, begin).map((event) => log.append(event)));
      waits.push(performance.now() - asked);
    }
    await log.settle();
    const seconds = (performance.now() - from) / 1000;
    let expected = 0;
    for await (const records of store.segments("p1", { order: "oldest", from: null })) {
      for (const { event } of records) {
        if (Number(event.id.slice(5)) !== expected) throw new Error(`event ${expected} is not in its place`);
        expected += 1;
      }
    }
    await log.close();
    const rate = count / seconds;
    return [
      {
        what: `audit: events kept in order, of ${count} (${expected} found)`,
        unit: "/s",
        target: "≥ 5000 /s",
        summary: summarize([rate]),
        met: rate >= 5000 && expected === count,
      },
      { what: "audit: append answers, 100 at once", unit: "ms", summary: summarize(waits) },
    ];
  } finally {
    await database.close();
    await rm(directory, { recursive: true, force: true });
  }
}

/** Events from JSON lines, as a file has them. */
function verifying(count: number): Row {
  const lines: string[] = [];
  let head: ChainHead = emptyHead;
  for (let begin = 0; begin < count; begin += 1000) {
    const records = chain(head, events(1000, begin));
    head = records.at(-1) ?? head;
    lines.push(...records.map((record) => JSON.stringify(record)));
  }
  const from = performance.now();
  const verifier = makeChainVerifier();
  for (const line of lines) verifier.next(JSON.parse(line) as Parameters<typeof verifier.next>[0]);
  const { ok, count: read } = verifier.end();
  const ms = performance.now() - from;
  return {
    what: `audit: verify ${read} records${ok ? "" : " (NOT INTACT)"}`,
    unit: "ms",
    target: "≤ 20 s for 1 M",
    summary: summarize([ms]),
    met: ok && ms / count <= 0.02,
  };
}

export async function audit(few: boolean): Promise<Row[]> {
  return [...(await appending(few ? 5000 : 50_000)), verifying(few ? 50_000 : 1_000_000)];
}
