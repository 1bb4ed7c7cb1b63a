import { createHash } from "node:crypto";
import { instanceIdSchema } from "#contracts/ids.ts";
import { tagNames } from "./settings.ts";

interface Tag {
  key: string;
  value: string;
}

/** Tags of everything that is made for one instance, in the spelling of ECS. */
export function tagsOf(deployment: string, instanceId: string): Tag[] {
  return [
    { key: tagNames.deployment, value: deployment },
    { key: tagNames.instance, value: instanceId },
  ];
}

/** The same as EC2 and EFS write them. */
export function capitalTagsOf(deployment: string, instanceId: string): { Key: string; Value: string }[] {
  return tagsOf(deployment, instanceId).map(({ key, value }) => ({ Key: key, Value: value }));
}

/** Name of the instance's security group and of its task-definition family. */
export function nameOf(deployment: string, instanceId: string): string {
  return `${deployment}-${instanceId}`;
}

/** The instance behind such a name; undefined for a name of something else. */
export function instanceOfName(deployment: string, name: string): string | undefined {
  if (!name.startsWith(`${deployment}-`)) return undefined;
  return instanceIdSchema.safeParse(name.slice(deployment.length + 1)).data;
}

const firstUid = 20_000;
const uids = 40_000;

/**
 * The uid that owns a disk's files and runs the user code of whoever works on it. It follows from the disk's id, which is that of the
 * instance it was made for and random, so that a repeated launch asks for the same; two disks that happen to share one share nothing else:
 * each has its own root directory.
 */
export function uidOf(diskId: string): number {
  return firstUid + (createHash("sha256").update(diskId).digest().readUInt32BE(0) % uids);
}

const roots = "/instances/";

/** The disk's own directory on the file system. */
export function rootOf(diskId: string): string {
  return `${roots}${diskId}`;
}

/** The disk behind such a directory; undefined for a directory of something else. */
export function diskOfRoot(path: string): string | undefined {
  return path.startsWith(roots) ? instanceIdSchema.safeParse(path.slice(roots.length)).data : undefined;
}
