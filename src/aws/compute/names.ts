import { createHash } from "node:crypto";
import { tagNames } from "./settings.ts";

/** Tags of everything that is made for one instance, in the spelling of ECS; EC2 and EFS write `Key` and `Value`. */
export function tagsOf(deployment: string, instanceId: string): readonly { readonly key: string; readonly value: string }[] {
  return [
    { key: tagNames.deployment, value: deployment },
    { key: tagNames.instance, value: instanceId },
  ];
}

export function capitalTagsOf(deployment: string, instanceId: string): { Key: string; Value: string }[] {
  return tagsOf(deployment, instanceId).map(({ key, value }) => ({ Key: key, Value: value }));
}

/** Name of the instance's security group and of its task-definition family. */
export function nameOf(deployment: string, instanceId: string): string {
  return `${deployment}-${instanceId}`;
}

/** The instance behind such a name, undefined for a name of something else. */
export function instanceOfName(deployment: string, name: string): string | undefined {
  const id = name.startsWith(`${deployment}-`) ? name.slice(deployment.length + 1) : "";
  return /^i[a-z0-9]{16}$/.test(id) ? id : undefined;
}

const firstUid = 20_000;
const uids = 40_000;

/** The uid that owns an instance's files and runs its user code: follows from its id, so that a repeated launch finds the same. */
export function uidOf(instanceId: string): number {
  return firstUid + (createHash("sha256").update(instanceId).digest().readUInt32BE(0) % uids);
}

/** The instance's own directory on the file system. */
export function rootOf(instanceId: string): string {
  return `/instances/${instanceId}`;
}
