import { expect, it } from "vitest";
import { BulkheadError } from "#contracts/errors.ts";
import { makePlatform } from "#core/platform.ts";
import { type Logger, noopLogger } from "#telemetry/logger.ts";
import { makeFakes } from "#test/support/fakes.ts";
import { aTemplate } from "#test/support/fixtures.ts";
import { someConfig } from "./world.ts";

it("says what keeps the pool from being full when that changes, not at each attempt", async () => {
  let problem = "This host cannot enforce: memory.";
  const fakes = makeFakes({
    faults: {
      before: (call) => {
        if (call === "compute.launch" && problem !== "") throw new BulkheadError("SERVICE_UNAVAILABLE", problem);
      },
    },
  });
  await fakes.stores.templates.put(aTemplate());
  const said: string[] = [];
  const say = (level: string) => (message: string) => void said.push(`${level} ${message}`);
  const logger: Logger = { ...noopLogger, warn: say("warn"), error: say("error"), child: () => logger };
  const platform = makePlatform({ ...someConfig, pool: { base: 1 } }, { ...fakes.ports, logger });
  const poolSaid = () => said.filter((line) => line.includes("pool")).length;
  platform.start();
  await fakes.clock.advance(30_000);
  expect(said).toContain("warn warm pool not full");
  expect(poolSaid()).toBe(1);
  problem = "This host cannot enforce: memory, cpu.";
  await fakes.clock.advance(30_000);
  expect(poolSaid()).toBe(2);
  problem = "";
  await fakes.clock.advance(30_000);
  expect(fakes.compute.existing.size).toBe(1);
  const draining = platform.drain();
  await fakes.clock.advance(1_000);
  await draining;
  expect(poolSaid()).toBe(2);
});
