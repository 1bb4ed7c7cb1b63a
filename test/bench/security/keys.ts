import { permissions } from "#contracts/access.ts";
import { requireAccess } from "#core/access.ts";
import { makeAudit } from "#core/audit.ts";
import { type IssuedKey, makeKeyService } from "#core/keys.ts";
import { systemClock } from "#core/system-clock.ts";
import { noopLogger } from "#telemetry/logger.ts";
import { aContext, aPrincipal } from "#test/support/fixtures.ts";
import { makeMemoryStores } from "#test/support/memory-stores.ts";
import type { Row } from "../report.ts";
import { summarize } from "../statistics.ts";

const perRound = 1000;

/** Milliseconds of one call, each figure the mean of a thousand. */
async function each(rounds: number, call: () => unknown): Promise<number[]> {
  const found: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const from = performance.now();
    for (let count = 0; count < perRound; count += 1) await call();
    found.push((performance.now() - from) / perRound);
  }
  return found;
}

/** What a request costs before it does anything: whose key, and may it. The store is in memory: what is measured is ours. */
export async function keysAndAccess(rounds: number): Promise<Row[]> {
  const { keys, audit } = makeMemoryStores(systemClock);
  const service = makeKeyService({ keys, audit: makeAudit(audit, systemClock, noopLogger), clock: systemClock });
  const made: IssuedKey[] = [];
  for (let count = 0; count < perRound; count += 1)
    made.push(await service.create(aPrincipal, { name: "k" }, aContext));
  let next = 0;
  const fresh = await each(1, () => service.authenticate(made[next++ % perRound]?.key ?? ""));
  const known = await each(rounds, () => service.authenticate(made[0]?.key ?? ""));
  const owner = { projectId: aPrincipal.projectId };
  const decision = await each(rounds, () => {
    const permission = permissions[next++ % permissions.length] ?? "sandboxes:read";
    requireAccess(aPrincipal, permission, { kind: "sandbox", id: "1800000000abcdefghij", owner });
  });
  return [
    row("key check, first time (without the store's answer)", 1, summarize(fresh)),
    row("key check, again within 4 s", 1, summarize(known)),
    row("access decision", 0.05, summarize(decision)),
  ];
}

function row(what: string, target: number, summary: NonNullable<Row["summary"]>): Row {
  const note = `${(summary.median * 1000).toFixed(1)} µs`;
  return { what, unit: "ms", target: `≤ ${target} ms`, summary, met: summary.median <= target, note };
}
