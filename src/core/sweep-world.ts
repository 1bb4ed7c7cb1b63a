import type { PlatformPorts } from "./deps.ts";
import type { InstanceRecord, SandboxRecord } from "./model.ts";
import type { InstanceTruth } from "./ports.ts";

/** What one sweep saw. Each view may be a moment older than the ones after it. */
export interface World {
  /** What has not ended. */
  readonly sandboxes: ReadonlyMap<string, SandboxRecord>;
  readonly instances: ReadonlyMap<string, InstanceRecord>;
  /** What exists according to the provider. */
  readonly truth: ReadonlyMap<string, InstanceTruth>;
  /** What is left of instances that exist no more. */
  readonly remains: readonly InstanceTruth[];
  /** Kept disks that no instance uses. */
  readonly disks: readonly string[];
}

/** Provider first, sandboxes last: an instance has its record before it exists, and a sandbox before it says so. */
export async function lookAround(ports: PlatformPorts): Promise<World> {
  const disks = await ports.compute.listDisks();
  const listed = await ports.compute.list();
  const truth = new Map(listed.filter((one) => one.state !== "gone").map((one) => [one.instanceId, one]));
  const remains = listed.filter((one) => one.state === "gone");
  const instances = new Map<string, InstanceRecord>();
  for await (const record of ports.instances.listAll()) instances.set(record.id, record);
  const sandboxes = new Map<string, SandboxRecord>();
  for await (const record of ports.sandboxes.listLive()) sandboxes.set(record.id, record);
  return { sandboxes, instances, truth, remains, disks };
}
