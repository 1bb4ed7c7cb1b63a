import { expect, it } from "vitest";
import { makeAudit } from "#core/audit.ts";
import { makeEgressService } from "#core/egress-records.ts";
import { noopLogger } from "#telemetry/logger.ts";
import { aContext, anEgressRow, aPrincipal } from "#test/support/fixtures.ts";
import { makeMemoryStores } from "#test/support/memory-stores.ts";
import { makeVirtualClock } from "#test/support/virtual-clock.ts";

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

it("lists the caller's own project, for keys that may read, and leaves a trace", async () => {
  const clock = makeVirtualClock();
  const stores = makeMemoryStores(clock);
  const service = makeEgressService({ egress: stores.egress, audit: makeAudit(stores.audit, clock, noopLogger) });
  await stores.egress.append([anEgressRow({ id: "mine" }), anEgressRow({ id: "theirs", projectId: "p2" })]);
  const reader = { ...aPrincipal, scopes: ["read"] as const };
  expect((await service.list(reader, query, aContext)).items.map(({ id }) => id)).toEqual(["mine"]);
  const refused = service.list({ ...aPrincipal, scopes: [] }, { ...query, sandboxId: "s1" }, aContext);
  await expect(refused).rejects.toMatchObject({ code: "FORBIDDEN" });
  await clock.settle();
  expect(stores.audit.events).toMatchObject([
    { action: "egress.list", outcome: "allowed", target: null },
    { action: "egress.list", outcome: "refused", target: "s1" },
  ]);
});
