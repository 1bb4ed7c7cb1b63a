import { spawn } from "node:child_process";
import { once } from "node:events";
import { resolve } from "node:path";
import { expect, it } from "vitest";
import { z } from "zod";

const root = resolve(import.meta.dirname, "../..");
const reportSchema = z.object({
  over: z.array(z.string()),
  profiles: z.array(
    z.object({ profile: z.string(), bill: z.object({ usdPerMonth: z.number(), lines: z.array(z.unknown()) }) }),
  ),
});

it("knows the price of every resource of dev and prod, and both are within what an idle deployment may cost", async () => {
  const child = spawn(process.execPath, ["--import", "tsx", "scripts/cost.ts", "--json"], { cwd: root });
  const written = { out: "", err: "" };
  child.stdout.on("data", (chunk: Buffer) => (written.out += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (written.err += chunk.toString()));
  await once(child, "close");
  expect(child.exitCode, written.err).toBe(0);
  const { over, profiles } = reportSchema.parse(JSON.parse(written.out));
  expect(over).toEqual([]);
  expect(profiles.map(({ profile }) => profile)).toEqual(["dev", "prod"]);
  for (const { bill } of profiles) {
    expect(bill.lines.length).toBeGreaterThan(10);
    expect(bill.usdPerMonth).toBeGreaterThan(20);
  }
}, 180_000);
