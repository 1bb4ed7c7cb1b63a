import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { makeFileDecisionLog } from "#egress/file-log.ts";
import type { EgressDecision } from "#egress/ports.ts";
import { noopLogger } from "#telemetry/logger.ts";

let directory = "";
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "bulkhead-egress-log-"));
});
afterEach(() => rm(directory, { recursive: true }));

function aDecision(host: string): EgressDecision {
  return {
    at: 0,
    instanceId: "i1",
    sandboxId: "s1",
    projectId: "p1",
    method: "CONNECT",
    host,
    port: 443,
    address: "1.1.1.1",
    decision: "allow",
    reason: "public address",
    bytesIn: 1,
    bytesOut: 2,
    durationMs: 3,
  };
}

describe("file decision log", () => {
  it("writes one JSON line per decision, in order, readable by its owner only", async () => {
    const path = join(directory, "egress.jsonl");
    const log = makeFileDecisionLog({ path, logger: noopLogger });
    log.record(aDecision("a.example"));
    log.record(aDecision("b.example"));
    await log.close();
    const lines = (await readFile(path, "utf8")).trimEnd().split("\n");
    expect(lines.map((line): unknown => JSON.parse(line))).toMatchObject([
      { host: "a.example", at: "1970-01-01T00:00:00.000Z", bytesIn: 1 },
      { host: "b.example" },
    ]);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  it("begins a new file at its size and keeps as many as asked", async () => {
    const path = join(directory, "egress.jsonl");
    const log = makeFileDecisionLog({ path, maxBytes: 1, keep: 2, logger: noopLogger });
    for (const name of ["a", "b", "c", "d"]) {
      log.record(aDecision(name));
      await log.flush();
    }
    await log.close();
    expect((await readdir(directory)).sort()).toEqual(["egress.jsonl", "egress.jsonl.1", "egress.jsonl.2"]);
    expect(await readFile(path, "utf8")).toContain('"host":"d"');
    expect(await readFile(`${path}.2`, "utf8")).toContain('"host":"b"');
  });

  it("says that decisions were lost when the file cannot be written", async () => {
    const errors: string[] = [];
    const logger = { ...noopLogger, error: (message: string) => errors.push(message) };
    const log = makeFileDecisionLog({ path: join(directory, "missing", "egress.jsonl"), logger });
    log.record(aDecision("a"));
    await log.close();
    expect(errors).toEqual(["Egress decisions were not written"]);
  });
});
