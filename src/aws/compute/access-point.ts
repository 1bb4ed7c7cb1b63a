import {
  AccessPointAlreadyExists,
  CreateAccessPointCommand,
  DeleteAccessPointCommand,
  type EFSClient,
  paginateDescribeAccessPoints,
} from "@aws-sdk/client-efs";
import { BulkheadError } from "#contracts/errors.ts";
import type { Clock } from "#core/ports.ts";
import { capitalTagsOf, rootOf, uidOf } from "./names.ts";
import { callProvider, providerFailure } from "./provider-failure.ts";
import { type TeardownSettings, tagNames } from "./settings.ts";

const readyMs = 20_000;
const pollMs = 250;

export interface AccessPoint {
  readonly id: string;
  readonly instanceId: string;
  readonly available: boolean;
}

/** Every access point of the deployment's instances, or of one instance. */
export async function listAccessPoints(
  efs: EFSClient,
  settings: TeardownSettings,
  instanceId?: string,
): Promise<AccessPoint[]> {
  const found: AccessPoint[] = [];
  await callProvider(async () => {
    for await (const page of paginateDescribeAccessPoints({ client: efs }, { FileSystemId: settings.fileSystemId })) {
      for (const { AccessPointId, LifeCycleState, Tags } of page.AccessPoints ?? []) {
        const tags = new Map(Tags?.map((tag) => [tag.Key, tag.Value]));
        const owner = tags.get(tagNames.instance);
        if (AccessPointId === undefined || owner === undefined) continue;
        if (tags.get(tagNames.deployment) !== settings.deployment) continue;
        if (LifeCycleState === "deleting" || LifeCycleState === "deleted") continue;
        if (instanceId !== undefined && owner !== instanceId) continue;
        found.push({ id: AccessPointId, instanceId: owner, available: LifeCycleState === "available" });
      }
    }
  });
  return found;
}

/** The instance's own view of the file system: its own root directory, its own uid whoever asks. */
export async function ensureAccessPoint(
  efs: EFSClient,
  settings: TeardownSettings,
  instanceId: string,
  clock: Clock,
): Promise<string> {
  const uid = uidOf(instanceId);
  const id = await create(efs, {
    ClientToken: instanceId,
    FileSystemId: settings.fileSystemId,
    PosixUser: { Uid: uid, Gid: uid },
    RootDirectory: {
      Path: rootOf(instanceId),
      CreationInfo: { OwnerUid: uid, OwnerGid: uid, Permissions: "0700" },
    },
    Tags: capitalTagsOf(settings.deployment, instanceId),
  });
  const giveUpAt = clock.now() + readyMs;
  while (!(await listAccessPoints(efs, settings, instanceId)).some((point) => point.id === id && point.available)) {
    if (clock.now() >= giveUpAt) throw new BulkheadError("SERVICE_UNAVAILABLE", "The file system is slow. Try again.");
    await clock.sleep(pollMs);
  }
  return id;
}

async function create(efs: EFSClient, input: CreateAccessPointCommand["input"]): Promise<string> {
  try {
    const { AccessPointId } = await efs.send(new CreateAccessPointCommand(input));
    if (AccessPointId !== undefined) return AccessPointId;
  } catch (thrown) {
    // The same client token: an earlier attempt made it.
    if (thrown instanceof AccessPointAlreadyExists && thrown.AccessPointId !== undefined) return thrown.AccessPointId;
    throw providerFailure(thrown);
  }
  throw new BulkheadError("INTERNAL_ERROR", "The file system named no access point.");
}

export async function deleteAccessPoints(efs: EFSClient, settings: TeardownSettings, instanceId: string): Promise<void> {
  for (const { id } of await listAccessPoints(efs, settings, instanceId)) {
    await callProvider(() => efs.send(new DeleteAccessPointCommand({ AccessPointId: id })), "AccessPointNotFound");
  }
}
