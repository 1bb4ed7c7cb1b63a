import { describe, expect, it } from "vitest";
import { makeAudit } from "#core/audit.ts";
import { makeKeyService } from "#core/keys.ts";
import type { Authority } from "#egress/certificates/authority.ts";
import { noopLogger } from "#telemetry/logger.ts";
import { makeMemoryStores } from "#test/support/memory-stores.ts";
import { makeVirtualClock } from "#test/support/virtual-clock.ts";
import { ensureAuthority } from "../../../lambdas/bootstrap/egress-authority.ts";
import { ensureFirstKey, type StoredKey } from "../../../lambdas/bootstrap/first-key.ts";
import { oldestKeyAgeDays } from "../../../lambdas/bootstrap/key-age.ts";

const day = 86_400_000;

function makeWorld() {
  const clock = makeVirtualClock();
  const stores = makeMemoryStores(clock);
  const keys = makeKeyService({ keys: stores.keys, audit: makeAudit(stores.audit, clock, noopLogger), clock });
  const held: { key?: StoredKey } = {};
  const shelf = {
    read: async () => held.key,
    write: async (key: StoredKey) => {
      held.key = key;
    },
  };
  const run = () => ensureFirstKey({ shelf, keys, clock, projectId: "default" });
  return { clock, stores, keys, held, run };
}

describe("the deployment's first key", () => {
  it("is issued once, works, and ends after 90 days", async () => {
    const { run, held, keys, clock } = makeWorld();
    expect(await run()).toBe("issued");
    expect(await run()).toBe("kept");
    expect(held.key?.expiresAt).toBe(clock.now() + 90 * day);
    expect(await keys.authenticate(held.key?.key ?? "")).toMatchObject({ projectId: "default", scopes: ["admin"] });
  });

  it("is followed by another two weeks before it ends, and both work meanwhile", async () => {
    const { run, held, keys, clock } = makeWorld();
    await run();
    const first = held.key?.key ?? "";
    await clock.advance(75 * day);
    expect(await run()).toBe("kept");
    await clock.advance(2 * day);
    expect(await run()).toBe("issued");
    expect(held.key?.key).not.toBe(first);
    await expect(keys.authenticate(first)).resolves.toBeDefined();
    await clock.advance(14 * day);
    await expect(keys.authenticate(first)).rejects.toMatchObject({ code: "INVALID_API_KEY" });
  });

  it("is replaced when it was revoked", async () => {
    const { run, held, stores, clock } = makeWorld();
    await run();
    const [record] = await stores.keys.list("default");
    await stores.keys.revoke(record?.id ?? "", clock.now());
    await clock.advance(10_000);
    const before = held.key?.key;
    expect(await run()).toBe("issued");
    expect(held.key?.key).not.toBe(before);
  });

  it("knows the age of the oldest key that still opens anything", async () => {
    const { run, stores, clock } = makeWorld();
    expect(oldestKeyAgeDays([], clock.now())).toBe(0);
    await run();
    await clock.advance(40 * day);
    expect(oldestKeyAgeDays(await stores.keys.list("default"), clock.now())).toBe(40);
    await clock.advance(60 * day);
    expect(oldestKeyAgeDays(await stores.keys.list("default"), clock.now())).toBe(0);
  });
});

describe("the egress CA", () => {
  const ca = { keyPem: "key", certificatePem: "certificate" };
  const ensure = (certificate: string | undefined, written: "written" | "lost" = "written") => {
    const created: Authority[] = [];
    const done = ensureAuthority({
      certificate: async () => certificate,
      make: async () => ca,
      create: async (authority) => {
        created.push(authority);
        return written;
      },
    });
    return { done, created };
  };

  it("is made once", async () => {
    const first = ensure(undefined);
    expect(await first.done).toBe("made");
    expect(first.created).toEqual([ca]);
    const next = ensure("certificate");
    expect(await next.done).toBe("kept");
    expect(next.created).toEqual([]);
  });

  it("is another's when two make it at once", async () => {
    expect(await ensure(undefined, "lost").done).toBe("kept");
  });
});
