import { describe, expect, it } from "vitest";
import type { LaunchAdmission } from "#core/ports.ts";
import type { VirtualClock } from "#test/support/virtual-clock.ts";

export interface AdmissionWorld {
  readonly clock: VirtualClock;
  /** As two functions would have: each with its own, over the same line. */
  readonly admissions: readonly [LaunchAdmission, LaunchAdmission];
}

/** `make` is asked for 10 launches per second with a burst of 4. */
export function launchAdmissionContract(name: string, make: () => Promise<AdmissionWorld>): void {
  type Place = Awaited<ReturnType<LaunchAdmission["admit"]>>;
  const waits = (places: readonly Place[]): number[] =>
    places.flatMap((place) => ("waitMs" in place ? [place.waitMs] : [])).sort((a, b) => a - b);
  const many = (admissions: readonly LaunchAdmission[], count: number, maxWaitMs: number) =>
    Promise.all(
      Array.from({ length: count }, (_, index) => {
        const admission = admissions[index % admissions.length];
        if (admission === undefined) throw new Error("no admission");
        return admission.admit(maxWaitMs);
      }),
    );

  describe(`${name}: launch admission`, () => {
    it("lets a burst through at once, and puts the rest in line at the rate", async () => {
      const { admissions } = await make();
      expect(waits(await many(admissions, 8, 10_000))).toEqual([0, 0, 0, 0, 100, 200, 300, 400]);
    });

    it("never gives one place to two, however many ask at once", async () => {
      const { admissions } = await make();
      const given = waits(await many(admissions, 40, 60_000)).slice(4);
      expect(given).toEqual(Array.from({ length: 36 }, (_, index) => (index + 1) * 100));
    });

    it("turns away when the line is longer than the caller can wait, and takes no place for it", async () => {
      const { admissions } = await make();
      const places = await many(admissions, 30, 1_000);
      expect(waits(places)).toEqual([0, 0, 0, 0, ...Array.from({ length: 10 }, (_, index) => (index + 1) * 100)]);
      const [admission] = admissions;
      // The 16 that were turned away did not make the line longer.
      expect(await admission.admit(1_100)).toEqual({ waitMs: 1_100 });
    });

    it("tells those turned away different times, none too early and none beyond a minute", async () => {
      const { admissions } = await make();
      await many(admissions, 200, 20_000);
      const turnedAway = await many(admissions, 40, 2_000);
      const seconds = turnedAway.map((place) => ("retryAfterSeconds" in place ? place.retryAfterSeconds : 0));
      // 196 in line, 19.6 s; the caller can wait for 2 s of these.
      expect(Math.min(...seconds)).toBeGreaterThanOrEqual(17);
      expect(Math.max(...seconds)).toBeLessThanOrEqual(60);
      expect(new Set(seconds).size).toBeGreaterThan(8);
      expect(seconds.every(Number.isInteger)).toBe(true);
    });

    it("fills up again with time, to the burst and no further", async () => {
      const { admissions, clock } = await make();
      await many(admissions, 8, 10_000);
      await clock.advance(500);
      expect(waits(await many(admissions, 2, 10_000))).toEqual([0, 100]);
      await clock.advance(3_600_000);
      expect(waits(await many(admissions, 6, 10_000))).toEqual([0, 0, 0, 0, 100, 200]);
    });
  });
}
