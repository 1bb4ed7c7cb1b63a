import { appendFile, mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { makeFileJournal } from "#egress/record/file-journal.ts";
import { noopLogger } from "#telemetry/logger.ts";
import { anEgressRow, startOfTime } from "#test/support/fixtures.ts";

let directory = "";
let path = "";
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "bulkhead-journal-"));
  path = join(directory, "egress.jsonl");
});
afterEach(() => rm(directory, { recursive: true }));

const open = (id: string) => anEgressRow({ id, state: "open", endedAt: null });
const linesOf = async (file: string) =>
  (await readFile(file, "utf8"))
    .trimEnd()
    .split("\n")
    .map((line): unknown => JSON.parse(line));

describe("file journal", () => {
  it("has a row in the file when write returns, readable by its owner only", async () => {
    const journal = makeFileJournal({ path, logger: noopLogger });
    expect(journal.write(anEgressRow({ host: "a.example", endedAt: startOfTime + 1 }))).toBe(1);
    expect(await linesOf(path)).toMatchObject([
      { type: "egress", n: 1, at: "2027-01-15T08:00:00.001Z", host: "a.example", bytesIn: 100, state: "closed" },
    ]);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(journal.write(anEgressRow())).toBe(2);
    journal.shipped(2);
    journal.close(true);
    expect(await linesOf(path)).toMatchObject([{}, { n: 2 }, { type: "shipped", through: 2 }, { type: "settled" }]);
  });

  it("begins a new file at its size, with what is open, and keeps as many as asked", async () => {
    const journal = makeFileJournal({ path, maxBytes: 1, keep: 2, logger: noopLogger });
    journal.write(open("long"));
    for (const id of ["a", "b", "c", "d"]) journal.write(anEgressRow({ id }));
    journal.write(anEgressRow({ id: "long" }));
    journal.write(anEgressRow({ id: "e" }));
    journal.close(false);
    expect((await readdir(directory)).sort()).toEqual(["egress.jsonl", "egress.jsonl.1", "egress.jsonl.2"]);
    expect(await linesOf(path)).toMatchObject([{ id: "e" }]);
    expect(await linesOf(`${path}.2`)).toMatchObject([{ id: "long", state: "open" }, { id: "d" }]);
  });

  it("goes on behind half a line that a killed process left", async () => {
    await appendFile(path, '{"type":"egress","n":1,"ho');
    const journal = makeFileJournal({ path, logger: noopLogger });
    journal.write(anEgressRow());
    journal.close(false);
    const [torn, whole] = (await readFile(path, "utf8")).split("\n");
    expect(torn).toBe('{"type":"egress","n":1,"ho');
    expect(JSON.parse(whole ?? "")).toMatchObject({ n: 1 });
  });

  it("says that rows were lost when the file cannot be written, and never throws", () => {
    const errors: string[] = [];
    const logger = { ...noopLogger, error: (message: string) => errors.push(message) };
    const journal = makeFileJournal({ path: join(directory, "missing", "egress.jsonl"), logger });
    expect(journal.write(anEgressRow())).toBe(1);
    expect(journal.write(anEgressRow())).toBe(2);
    journal.close(true);
    expect(errors).toEqual(["Egress rows are not written to their file"]);
  });
});
