import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fargateSize } from "#aws/compute/fargate-size.ts";
import { fargateMemory } from "#test/support/aws-fake/ecs-schemas.ts";

const sizeOf = (vcpu: number, memory_mb: number, disk_mb = 1024) => fargateSize({ vcpu, memory_mb, disk_mb });

describe("the size of a Fargate task", () => {
  it.each([
    [1, 64, "1024", "2048"],
    [1, 2048, "1024", "2048"],
    [1, 2049, "1024", "3072"],
    [1, 8193, "2048", "9216"],
    [2, 1024, "2048", "4096"],
    [3, 1024, "4096", "8192"],
    [8, 17_000, "8192", "20480"],
    [16, 120 * 1024, "16384", "122880"],
  ])("for %i vCPU and %i MB is %s and %s", (vcpu, memory, cpu, mebibytes) => {
    expect(sizeOf(vcpu, memory)).toEqual({ cpu, memory: mebibytes });
  });

  it("is one that Fargate has and is never less than asked for", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 16 }), fc.integer({ min: 64, max: 122_880 }), (vcpu, memory) => {
        const size = sizeOf(vcpu, memory);
        expect(fargateMemory[size.cpu]).toContain(size.memory);
        expect(Number(size.cpu)).toBeGreaterThanOrEqual(vcpu * 1024);
        expect(Number(size.memory)).toBeGreaterThanOrEqual(memory);
      }),
    );
  });

  it("has the free disk as long as that is enough", () => {
    expect(sizeOf(1, 64, 20 * 1024)).not.toHaveProperty("ephemeralStorage");
    expect(sizeOf(1, 64, 20 * 1024 + 1)).toMatchObject({ ephemeralStorage: { sizeInGiB: 21 } });
    expect(sizeOf(1, 64, 200 * 1024)).toMatchObject({ ephemeralStorage: { sizeInGiB: 200 } });
  });

  it.each([
    [17, 64, 1024],
    [1, 120 * 1024 + 1, 1024],
    [1, 64, 200 * 1024 + 1],
  ])("is refused for %i vCPU, %i MB, %i MB of disk", (vcpu, memory, disk) => {
    expect(() => sizeOf(vcpu, memory, disk)).toThrow(/The largest has/);
  });
});
