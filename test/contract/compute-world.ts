import type { Compute, LaunchRequest } from "#core/ports.ts";
import { aTemplate } from "#test/support/fixtures.ts";

/** An empty provider and how a test moves it on. */
export interface ComputeWorld {
  readonly compute: Compute;
  /** Lets what was launched get its place and run. */
  place(): Promise<void>;
  /** Lets what was asked to stop come to its end, and its provider let go of what it held. */
  settle(): Promise<void>;
  /** From now on there is no room. */
  fill(): void;
  /** Everything that exists for instances, by the provider's own account; to be compared with []. */
  left(): Promise<readonly string[]>;
}

export const instanceId = (number: number) => `i${String(number).padStart(16, "0")}`;

export function aLaunch(number = 1, changes: Partial<LaunchRequest> = {}): LaunchRequest {
  return {
    instanceId: instanceId(number),
    template: aTemplate(),
    resources: { vcpu: 1, memory_mb: 512, disk_mb: 1024 },
    ...changes,
  };
}
