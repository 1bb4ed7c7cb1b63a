import { afterAll, beforeAll, expect, it } from "vitest";
import { makeDynamoLaunchAdmission } from "#aws/dynamo-launch-admission.ts";
import type { LaunchAdmission } from "#core/ports.ts";
import { noopLogger } from "#telemetry/logger.ts";
import { countCalls } from "#test/support/count-calls.ts";
import { makeMemoryAdmission } from "#test/support/memory-admission.ts";
import { makeVirtualClock } from "#test/support/virtual-clock.ts";
import { launchAdmissionContract } from "./launch-admission.suite.ts";
import { openMotoDatabase, openTestDatabase, type TestDatabase } from "./world.ts";

const pace = { perSecond: 10, burst: 4 };
const opened: { dynalite?: TestDatabase; moto?: TestDatabase } = {};
beforeAll(async () => {
  opened.dynalite = await openTestDatabase();
  opened.moto = await openMotoDatabase();
}, 120_000);
afterAll(async () => {
  await opened.dynalite?.close();
  await opened.moto?.close();
});

async function makeDynamoWorld(database: TestDatabase | undefined) {
  if (database === undefined) throw new Error("the database is not open");
  const { client, table, clock } = await database.makeWorld();
  const make = () => makeDynamoLaunchAdmission({ client, table, clock, logger: noopLogger, ...pace });
  return { client, clock, admissions: [make(), make()] as const };
}

launchAdmissionContract("in memory", async () => {
  const clock = makeVirtualClock();
  const one = makeMemoryAdmission({ clock, ...pace });
  return { clock, admissions: [one, one] };
});
launchAdmissionContract("dynalite", () => makeDynamoWorld(opened.dynalite));
// moto serves requests on threads and does not make an update atomic: two at once may both read what neither has written.
launchAdmissionContract("moto, one call at a time", async () => {
  const { clock, admissions } = await makeDynamoWorld(opened.moto);
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = ({ admit }: LaunchAdmission): LaunchAdmission => ({
    admit(maxWaitMs) {
      const turn = last.then(() => admit(maxWaitMs));
      last = turn;
      return turn;
    },
  });
  return { clock, admissions: [inTurn(admissions[0]), inTurn(admissions[1])] };
});

it("needs two writes at most, whoever else asks, and one more read to turn away", async () => {
  const { client, admissions } = await makeDynamoWorld(opened.dynalite);
  const sent = countCalls(client);
  await admissions[0].admit(0);
  expect(sent.splice(0)).toHaveLength(1);
  await Promise.all(Array.from({ length: 20 }, (_, index) => admissions[index % 2 === 0 ? 0 : 1].admit(60_000)));
  expect(sent.splice(0)).toHaveLength(40);
  await admissions[0].admit(0);
  expect(sent).toHaveLength(3);
});
