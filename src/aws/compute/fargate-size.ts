import { BulkheadError } from "#contracts/errors.ts";
import type { Resources } from "#contracts/domain.ts";

const range = (first: number, last: number, step: number) =>
  Array.from({ length: (last - first) / step + 1 }, (_, index) => first + index * step);

/** Memory in GiB that Fargate has for each vCPU (CDK `FargateTaskDefinition`). */
const memoryGiB: Readonly<Record<number, readonly number[]>> = {
  1: range(2, 8, 1),
  2: range(4, 16, 1),
  4: range(8, 30, 1),
  8: range(16, 60, 4),
  16: range(32, 120, 8),
};

export interface FargateSize {
  /** CPU units, 1024 per vCPU. */
  readonly cpu: string;
  /** MiB. */
  readonly memory: string;
}

/** The smallest task that has at least these resources. @throws BulkheadError HOST_UNSUITABLE when there is none so large */
export function fargateSize(resources: Resources): FargateSize {
  for (const [vcpu, sizes] of Object.entries(memoryGiB)) {
    const memory = sizes.find((gib) => gib * 1024 >= resources.memory_mb);
    if (Number(vcpu) >= resources.vcpu && memory !== undefined) {
      return { cpu: String(Number(vcpu) * 1024), memory: String(memory * 1024) };
    }
  }
  throw new BulkheadError(
    "HOST_UNSUITABLE",
    `Fargate has no task with ${resources.vcpu} vCPU and ${resources.memory_mb} MB. The largest has 16 vCPU and 120 GB.`,
  );
}
