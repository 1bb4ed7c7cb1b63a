import { BulkheadError } from "#contracts/errors.ts";
import type { Endpoint } from "#core/model.ts";
import type { Clock, Compute, InstanceExit, InstanceTruth, LaunchRequest } from "#core/ports.ts";
import { someEnforcement } from "./fixtures.ts";

export interface FakeCompute extends Compute {
  /** How many instances fit; more are refused with CAPACITY_EXHAUSTED. */
  capacity: number;
  /** How long a launch and a stop take. */
  latencyMs: number;
  /** Instances have no address before this long after their launch, as on Fargate; null: at once. */
  placedAfterMs: number | null;
  /** Requests of what exists now, by instance id. */
  readonly existing: ReadonlyMap<string, LaunchRequest>;
  /** Every launch that made something, in order. */
  readonly launches: readonly string[];
  /** Kept disks that no instance uses. */
  readonly disks: ReadonlySet<string>;
  /** The disk that an instance works on, or did. */
  diskOf(instanceId: string): string;
  onExit(listener: (exit: InstanceExit) => void): () => void;
  /** Whether it exists and has its address. */
  isPlaced(instanceId: string): boolean;
  /** Told once for each instance that gets its address later than at its launch. */
  onPlaced(listener: (instanceId: string, endpoint: Endpoint) => void): void;
  /** The instance ends by itself, and says so. */
  exit(instanceId: string, cause: InstanceExit["cause"], message?: string): void;
  /** The instance is gone and nobody was told. */
  vanish(instanceId: string): void;
  /** Something that no record knows. */
  stray(instanceId: string, request: LaunchRequest): void;
}

export function endpointOf(instanceId: string): Endpoint {
  return { kind: "unix", path: `/fake/${instanceId}` };
}

/** Instances that exist only as entries of a map. Wrap it in `withFaults` to let calls fail. */
export function makeFakeCompute(clock: Clock): FakeCompute {
  const existing = new Map<string, LaunchRequest>();
  const launches: string[] = [];
  const disks = new Set<string>();
  const diskOf = (request: LaunchRequest) => request.diskId ?? request.instanceId;
  const usedDisks = new Map<string, string>();
  const listeners = new Set<(exit: InstanceExit) => void>();
  const placedListeners = new Set<(instanceId: string, endpoint: Endpoint) => void>();
  const waiting = new Set<string>();
  const addressOf = (instanceId: string) => (waiting.has(instanceId) ? null : endpointOf(instanceId));
  const truth = (instanceId: string): InstanceTruth => ({
    instanceId,
    providerId: `fake-${instanceId}`,
    state: waiting.has(instanceId) ? "starting" : "running",
    endpoint: addressOf(instanceId),
  });
  function placeLater(instanceId: string, ms: number): void {
    waiting.add(instanceId);
    clock.after(ms, () => {
      waiting.delete(instanceId);
      if (!existing.has(instanceId)) return;
      for (const listener of placedListeners) listener(instanceId, endpointOf(instanceId));
    });
  }
  const compute: FakeCompute = {
    capacity: Number.POSITIVE_INFINITY,
    latencyMs: 0,
    placedAfterMs: null,
    existing,
    launches,
    disks,
    diskOf: (instanceId) => usedDisks.get(instanceId) ?? instanceId,
    async launch(request) {
      if (!existing.has(request.instanceId)) {
        if (request.diskId !== undefined && !disks.has(request.diskId)) {
          throw new BulkheadError("INTERNAL_ERROR", "There is no kept disk of this id.");
        }
        if (existing.size >= compute.capacity) {
          throw new BulkheadError("CAPACITY_EXHAUSTED", "No room for another instance. Try again when one has ended.");
        }
        existing.set(request.instanceId, request);
        disks.delete(diskOf(request));
        usedDisks.set(request.instanceId, diskOf(request));
        launches.push(request.instanceId);
        if (compute.placedAfterMs !== null) placeLater(request.instanceId, compute.placedAfterMs);
      }
      if (compute.latencyMs > 0) await clock.sleep(compute.latencyMs);
      return {
        providerId: `fake-${request.instanceId}`,
        endpoint: addressOf(request.instanceId),
        enforced: someEnforcement,
      };
    },
    describe: async (instanceId) => (existing.has(instanceId) ? truth(instanceId) : undefined),
    async stop(instanceId, { keepDisk = false } = {}) {
      if (compute.latencyMs > 0) await clock.sleep(compute.latencyMs);
      const request = existing.get(instanceId);
      if (keepDisk && request !== undefined) disks.add(diskOf(request));
      existing.delete(instanceId);
    },
    removeDisk: async (diskId) => void disks.delete(diskId),
    listDisks: async () => [...disks],
    list: async () => [...existing.keys()].map(truth),
    onExit(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    isPlaced: (instanceId) => existing.has(instanceId) && !waiting.has(instanceId),
    onPlaced: (listener) => void placedListeners.add(listener),
    exit(instanceId, cause, message = "exit code 1") {
      if (!existing.delete(instanceId)) return;
      for (const listener of listeners) listener({ instanceId, cause, message });
    },
    vanish: (instanceId) => void existing.delete(instanceId),
    stray: (instanceId, request) => void existing.set(instanceId, request),
  };
  return compute;
}
