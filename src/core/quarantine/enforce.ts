import type { PlatformPorts } from "../deps.ts";
import { backstopSeconds } from "../draft.ts";
import type { InstanceRecord, SandboxRecord } from "../model.ts";
import { holdLease } from "./hold.ts";

export type EnforcePorts = Pick<PlatformPorts, "agent" | "instances" | "sandboxes" | "logger">;

/**
 * What follows from a record that says `quarantine`: processes stand still, the agent does not end by itself, the instance's record
 * stays. Each by itself, so that one that fails holds up none of the others; the sweeper repeats it until it is released.
 * @returns whether nothing of user code runs
 */
export async function enforceHold(ports: EnforcePorts, record: SandboxRecord): Promise<boolean> {
  const { quarantine } = record;
  const instance = record.instanceId === null ? undefined : await ports.instances.get(record.instanceId);
  if (quarantine === null || instance === undefined) return record.instanceId === null;
  const { endpoint } = instance;
  const step = async (what: string, work: () => Promise<unknown>): Promise<boolean> => {
    try {
      await work();
      return true;
    } catch (error) {
      ports.logger.warn("step of a quarantine failed, repeated by the sweeper", { sandbox: record.id, what, error });
      return false;
    }
  };
  const frozen = endpoint !== null && (await step("freeze", () => ports.agent.freeze(endpoint)));
  if (endpoint !== null) await step("lease", () => ports.agent.renew(endpoint, holdLease(quarantine)));
  await step("instance record", () => keepInstance(ports, instance, quarantine.until));
  if (frozen) {
    // Whoever released it meanwhile has thawed it before this froze it again.
    const fresh = await ports.sandboxes.get(record.id);
    if (fresh?.status === "running" && fresh.instanceId === instance.id) {
      await step("thaw", () => ports.agent.thaw(endpoint));
      return false;
    }
  }
  return frozen;
}

/** A record that vanished would make its instance one that nobody knows. */
async function keepInstance(
  { instances }: Pick<EnforcePorts, "instances">,
  instance: InstanceRecord,
  until: number,
): Promise<void> {
  const expiresAtSeconds = Math.ceil(until / 1000) + backstopSeconds;
  if (instance.expiresAtSeconds === null || instance.expiresAtSeconds >= expiresAtSeconds) return;
  await instances.replace({ ...instance, expiresAtSeconds, version: instance.version + 1 });
}
