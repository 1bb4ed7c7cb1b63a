import { appendFile, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { EgressStore } from "#core/ports.ts";
import { makeFileJournal } from "#egress/record/file-journal.ts";
import { recoverJournal } from "#egress/record/recover.ts";
import { noopLogger } from "#telemetry/logger.ts";
import { anEgressRow, startOfTime } from "#test/support/fixtures.ts";
import { makeMemoryEgressStore } from "#test/support/memory-egress-store.ts";
import { makeVirtualClock } from "#test/support/virtual-clock.ts";

let directory = "";
let path = "";
let store: EgressStore;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "bulkhead-recover-"));
  path = join(directory, "egress.jsonl");
  store = makeMemoryEgressStore(makeVirtualClock());
});
afterEach(() => rm(directory, { recursive: true }));

const recover = () => recoverJournal({ path, store, logger: noopLogger });
const open = (id: string, at = 0) => anEgressRow({ id, state: "open", startedAt: startOfTime + at, endedAt: null });
const ended = (id: string, at = 0) => anEgressRow({ id, startedAt: startOfTime + at, endedAt: startOfTime + at + 1 });
const query = {
  limit: 100,
  cursor: null,
  sandboxId: null,
  host: null,
  decision: null,
  state: null,
  since: null,
  until: null,
};
const stored = async () => (await store.list("p1", query)).items.map(({ id, state }) => `${id} ${state}`);

describe("recovery of a journal", () => {
  it("has nothing to do for a first run, and for one that was closed", async () => {
    expect(await recover()).toEqual({ interrupted: 0, shipped: 0 });
    const journal = makeFileJournal({ path, logger: noopLogger });
    journal.write(ended("a"));
    journal.close(true);
    const before = await readFile(path, "utf8");
    expect(await recover()).toEqual({ interrupted: 0, shipped: 0 });
    expect(await readFile(path, "utf8")).toBe(before);
  });

  it("brings what was not shipped, and ends what was open, once", async () => {
    const journal = makeFileJournal({ path, logger: noopLogger });
    journal.write(open("gone", 1));
    journal.write(ended("shipped", 2));
    journal.shipped(2);
    // In the store, but killed before the mark.
    const unmarked = ended("unmarked", 3);
    journal.write(unmarked);
    await store.append([ended("shipped", 2), unmarked, open("gone", 1)]);
    journal.write(ended("missing", 4));
    journal.write(open("went", 5));
    journal.write(ended("went", 5));
    journal.write({ ...open("nobody"), projectId: null });
    await appendFile(path, '{"type":"egress","n":9,"id":"torn');
    expect(await recover()).toEqual({ interrupted: 1, shipped: 2 });
    const all = ["went closed", "missing closed", "unmarked closed", "shipped closed", "gone interrupted"];
    expect(await stored()).toEqual(all);
    expect(await recover()).toEqual({ interrupted: 0, shipped: 0 });
    const next = makeFileJournal({ path, logger: noopLogger });
    next.write(open("later", 7));
    expect(await recover()).toEqual({ interrupted: 1, shipped: 0 });
    expect(await stored()).toEqual(["later interrupted", ...all]);
  });

  it("reads on over a new file", async () => {
    const journal = makeFileJournal({ path, maxBytes: 1, logger: noopLogger });
    journal.write(open("long"));
    for (let at = 1; at < 5; at += 1) {
      journal.write(ended(`e${at}`, at));
      journal.shipped(at + 1);
    }
    expect(await recover()).toEqual({ interrupted: 1, shipped: 0 });
    expect(await stored()).toEqual(["long interrupted"]);
  });
});
