import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { recoverJournal } from "#egress/record/recover.ts";
import { noopLogger } from "#telemetry/logger.ts";
import { makeMemoryEgressStore } from "#test/support/memory-egress-store.ts";
import { makeVirtualClock } from "#test/support/virtual-clock.ts";

const program = new URL("../../../support/record-until-killed.ts", import.meta.url).pathname;

it("loses no row of a process that is killed", async () => {
  const directory = await mkdtemp(join(tmpdir(), "bulkhead-killed-"));
  const path = join(directory, "egress.jsonl");
  const child = spawn(process.execPath, ["--import", "tsx", program, path], { stdio: ["ignore", "pipe", "inherit"] });
  let told = "";
  child.stdout.on("data", (chunk: Buffer) => {
    told += chunk.toString();
    if (told.length > 100) child.kill("SIGKILL");
  });
  await once(child, "close");
  // The last number may be told in part.
  const least = Number(told.slice(0, told.lastIndexOf("\n")).split("\n").at(-1));
  const store = makeMemoryEgressStore(makeVirtualClock());
  const recovered = await recoverJournal({ path, store, logger: noopLogger });
  await rm(directory, { recursive: true });
  expect(least).toBeGreaterThan(50);
  expect(recovered.shipped).toBeGreaterThanOrEqual(least * 0.9);
  expect(recovered.interrupted).toBeGreaterThanOrEqual(least * 0.1);
});
