import { isOver } from "./lifecycle.ts";
import type { InstanceRecord, SandboxRecord } from "./model.ts";
import type { InstanceStore, SandboxStore } from "./ports.ts";

/** The disk an instance works on. */
export function diskOf({ id, diskId }: Pick<InstanceRecord, "id" | "diskId">): string {
  return diskId ?? id;
}

/**
 * Whether a sandbox's files outlive one of its instances: it is stopped, or being started again, or goes on with another one, as after a
 * launch that came too late.
 */
function outlives(sandbox: SandboxRecord | undefined, instance: Pick<InstanceRecord, "id" | "diskId">): boolean {
  if (sandbox === undefined || isOver(sandbox.status) || sandbox.diskId !== diskOf(instance)) return false;
  return sandbox.status === "stopped" || sandbox.status === "creating" || sandbox.instanceId !== instance.id;
}

/** Whether the files of an instance are to stay when it ends. Decided by what is stored, so that whoever repeats an end decides the same. */
export async function keepsDisk(
  stores: { readonly instances: Pick<InstanceStore, "get">; readonly sandboxes: Pick<SandboxStore, "get"> },
  instanceId: string,
): Promise<boolean> {
  const instance = await stores.instances.get(instanceId);
  return instance !== undefined && keepsDiskOf(stores, instance);
}

/** The same of an instance whose record may be gone by now. */
export async function keepsDiskOf(
  stores: { readonly sandboxes: Pick<SandboxStore, "get"> },
  instance: Pick<InstanceRecord, "id" | "diskId" | "sandboxId">,
): Promise<boolean> {
  if (instance.sandboxId === null) return false;
  return outlives(await stores.sandboxes.get(instance.sandboxId), instance);
}
