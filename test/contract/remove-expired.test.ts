import { expect, it } from "vitest";
import { removeExpired } from "#aws/remove-expired.ts";
import { makeDynamoStores } from "#aws/stores.ts";
import { noopLogger } from "#telemetry/logger.ts";
import { anEgressRow, startOfTime } from "#test/support/fixtures.ts";
import { openTestDatabase } from "./world.ts";

it("removes what has expired and nothing else, in a table that dynalite keeps", async () => {
  const database = await openTestDatabase();
  try {
    const { client, table, clock } = await database.makeWorld();
    const { egress } = makeDynamoStores({ client, table, clock, logger: noopLogger }, { egressRetentionSeconds: 60 });
    const open = Array.from({ length: 60 }, (_, index) =>
      anEgressRow({ id: `o${index}`, state: "open", endedAt: null, startedAt: startOfTime + index * 1000 }),
    );
    await egress.append([anEgressRow(), ...open]);
    expect(await removeExpired(client, table, startOfTime + 59_000)).toBe(0);
    expect(await removeExpired(client, table, startOfTime + 89_000)).toBe(31);
    expect(await removeExpired(client, table, startOfTime + 89_000)).toBe(0);
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
    expect((await egress.list("p1", query)).items).toHaveLength(30);
  } finally {
    await database.close();
  }
}, 30_000);
