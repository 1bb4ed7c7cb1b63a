import { describe, expect, it } from "vitest";
import { aClaim } from "#test/support/fixtures.ts";
import type { MakeWorld } from "./world.ts";

export function quotaContract(name: string, make: MakeWorld): void {
  describe(`${name}: quota`, () => {
    it("never gives more places than the limit, however many ask at once", async () => {
      const { sandboxes } = (await make()).stores;
      const taken = await Promise.all(Array.from({ length: 60 }, () => sandboxes.takeQuota("p1", 10)));
      expect(taken.filter((one) => one === "written")).toHaveLength(10);
      expect(await sandboxes.quotaInUse("p1")).toBe(10);
    });

    it("never exceeds the limit while places come back", async () => {
      const { sandboxes } = (await make()).stores;
      let held = 0;
      let most = 0;
      await Promise.all(
        Array.from({ length: 40 }, async () => {
          if ((await sandboxes.takeQuota("p1", 5)) === "lost") return;
          held += 1;
          most = Math.max(most, held);
          held -= 1;
          await sandboxes.returnQuota("p1");
        }),
      );
      expect(most).toBeLessThanOrEqual(5);
      expect(await sandboxes.quotaInUse("p1")).toBe(0);
    });

    it("counts projects apart, and never goes below zero", async () => {
      const { sandboxes } = (await make()).stores;
      await sandboxes.takeQuota("p1", 1);
      expect(await sandboxes.takeQuota("p2", 1)).toBe("written");
      await sandboxes.returnQuota("p1");
      await sandboxes.returnQuota("p1");
      await sandboxes.returnQuota("p3");
      expect(await sandboxes.quotaInUse("p1")).toBe(0);
      expect(await sandboxes.quotaInUse("p2")).toBe(1);
      expect(await sandboxes.quotaInUse("p3")).toBe(0);
    });

    it("repairs a counter only when it did not move meanwhile", async () => {
      const { sandboxes } = (await make()).stores;
      expect(await sandboxes.repairQuota("p1", 0, 3)).toBe("written");
      expect(await sandboxes.repairQuota("p1", 2, 9)).toBe("lost");
      expect(await sandboxes.quotaInUse("p1")).toBe(3);
      expect(await sandboxes.repairQuota("p1", 3, 0)).toBe("written");
      expect(await sandboxes.quotaInUse("p1")).toBe(0);
    });
  });

  describe(`${name}: idempotency`, () => {
    it("gives a key to one of many, and shows the others its claim", async () => {
      const { sandboxes } = (await make()).stores;
      const claims = Array.from({ length: 20 }, (_, index) => aClaim({ sandboxId: `1800000000claim${index + 10000}` }));
      const results = await Promise.all(claims.map((claim) => sandboxes.claimIdempotency(claim)));
      const winner = claims[results.findIndex((result) => result.existing === null)];
      expect(results.filter((result) => result.existing === null)).toHaveLength(1);
      expect(results.filter((result) => result.existing?.sandboxId === winner?.sandboxId)).toHaveLength(19);
    });

    it("frees a key by release and by time", async () => {
      const { clock, stores } = await make();
      const { sandboxes } = stores;
      const soon = Math.floor(clock.now() / 1000) + 10;
      const second = aClaim({ sandboxId: "1800000000second0000", expiresAtSeconds: soon });
      const third = aClaim({ sandboxId: "1800000000third00000" });
      await sandboxes.claimIdempotency(aClaim());
      await sandboxes.releaseIdempotency("p1", "k1", second.sandboxId);
      expect(await sandboxes.claimIdempotency(second)).toEqual({ existing: aClaim() });
      await sandboxes.releaseIdempotency("p1", "k1", aClaim().sandboxId);
      expect(await sandboxes.claimIdempotency(second)).toEqual({ existing: null });
      expect(await sandboxes.claimIdempotency(third)).toEqual({ existing: second });
      await clock.advance(10_000);
      expect(await sandboxes.claimIdempotency(third)).toEqual({ existing: null });
    });

    it("keeps keys of projects apart", async () => {
      const { sandboxes } = (await make()).stores;
      await sandboxes.claimIdempotency(aClaim());
      expect(await sandboxes.claimIdempotency(aClaim({ projectId: "p2" }))).toEqual({ existing: null });
    });
  });
}
