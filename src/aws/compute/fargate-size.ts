import type { Resources } from "#contracts/domain.ts";
import { BulkheadError } from "#contracts/errors.ts";

interface MemoryRange {
  readonly vcpu: number;
  /** GiB: from `first` to `last` in steps of `step`. */
  readonly first: number;
  readonly last: number;
  readonly step: number;
}

/** What Fargate offers from one vCPU on (aws-facts §1.2). */
const sizes: readonly MemoryRange[] = [
  { vcpu: 1, first: 2, last: 8, step: 1 },
  { vcpu: 2, first: 4, last: 16, step: 1 },
  { vcpu: 4, first: 8, last: 30, step: 1 },
  { vcpu: 8, first: 16, last: 60, step: 4 },
  { vcpu: 16, first: 32, last: 120, step: 8 },
];

/** GiB of scratch disk: free, and what can be asked for instead. */
const freeDisk = 20;
const largestDisk = 200;

export interface FargateSize {
  /** CPU units, 1024 per vCPU. */
  readonly cpu: string;
  /** MiB. */
  readonly memory: string;
  /** Absent: the disk that comes with every task is enough. */
  readonly ephemeralStorage?: { readonly sizeInGiB: number };
}

/** The smallest task that has at least these resources. @throws BulkheadError HOST_UNSUITABLE when none is so large */
export function fargateSize({ vcpu, memory_mb, disk_mb }: Resources): FargateSize {
  const size = sizes.find((one) => one.vcpu >= vcpu && one.last * 1024 >= memory_mb);
  const disk = Math.ceil(disk_mb / 1024);
  if (size === undefined || disk > largestDisk) {
    throw new BulkheadError(
      "HOST_UNSUITABLE",
      `Fargate has no task with ${vcpu} vCPU, ${memory_mb} MB of memory and ${disk_mb} MB of disk. The largest has 16 vCPU, 120 GiB and 200 GiB.`,
    );
  }
  const steps = Math.max(0, Math.ceil((memory_mb / 1024 - size.first) / size.step));
  return {
    cpu: String(size.vcpu * 1024),
    memory: String((size.first + steps * size.step) * 1024),
    ...(disk > freeDisk && { ephemeralStorage: { sizeInGiB: disk } }),
  };
}
