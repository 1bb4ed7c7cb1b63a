import { mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { makeDecoyLayer } from "#agent/decoy.ts";
import { noopLogger } from "#telemetry/logger.ts";
import { makeSecretValues } from "#telemetry/secret-values.ts";

const directory = mkdtempSync(join(tmpdir(), "bulkhead-decoy-"));
afterAll(() => rmSync(directory, { recursive: true }));

const key = `hopx_live_AbCdEf123456.${"k".repeat(43)}`;

it("lays the decoy for its owner only, hides it in what the agent says, and follows no link", async () => {
  const secretValues = makeSecretValues();
  const warnings: string[] = [];
  const logger = { ...noopLogger, warn: (message: string) => void warnings.push(message) };
  const lay = makeDecoyLayer({ secretValues, logger });
  const path = join(directory, "secrets", "key");
  lay({ path, content: `${key}\n` });
  await expect.poll(() => statSync(path, { throwIfNoEntry: false })?.size).toBe(key.length + 1);
  expect(statSync(path).mode & 0o777).toBe(0o400);
  expect(readFileSync(path, "utf8")).toBe(`${key}\n`);
  expect(secretValues.hide(`x ${key}`)).toBe("x [secret decoy]");

  const target = join(directory, "target");
  const link = join(directory, "link");
  writeFileSync(target, "mine");
  symlinkSync(target, link);
  lay({ path: link, content: key });
  await expect.poll(() => warnings).toEqual(["decoy not laid"]);
  expect(readFileSync(target, "utf8")).toBe("mine");
});
