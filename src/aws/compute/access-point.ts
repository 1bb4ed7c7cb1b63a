import {
  CreateAccessPointCommand,
  DeleteAccessPointCommand,
  DescribeAccessPointsCommand,
  type EFSClient,
  paginateDescribeAccessPoints,
} from "@aws-sdk/client-efs";
import * as z from "zod";
import { BulkheadError } from "#contracts/errors.ts";
import type { Clock } from "#core/ports.ts";
import { capitalTagsOf, diskOfRoot, rootOf, uidOf } from "./names.ts";
import { callProvider, unless } from "./provider-failure.ts";
import { type TeardownSettings, tagNames } from "./settings.ts";

const readyMs = 20_000;
const pollMs = 500;

export interface AccessPoint {
  readonly id: string;
  /** Who uses it, or used it last. */
  readonly instanceId: string;
  /** Names its directory. */
  readonly diskId: string;
  /** Its last user has ended and was to leave the files. */
  readonly kept: boolean;
}

/** Every access point of the deployment's instances, or of one instance, found by tags alone; kept ones too. */
export async function listAccessPoints(
  efs: EFSClient,
  settings: TeardownSettings,
  instanceId?: string,
): Promise<AccessPoint[]> {
  const found: AccessPoint[] = [];
  await callProvider(async () => {
    for await (const page of paginateDescribeAccessPoints({ client: efs }, { FileSystemId: settings.fileSystemId })) {
      for (const { AccessPointId, LifeCycleState, RootDirectory, Tags } of page.AccessPoints ?? []) {
        const tags = new Map(Tags?.map((tag) => [tag.Key, tag.Value]));
        const owner = tags.get(tagNames.instance);
        if (AccessPointId === undefined || owner === undefined) continue;
        if (instanceId !== undefined && owner !== instanceId) continue;
        if (tags.get(tagNames.deployment) !== settings.deployment) continue;
        if (LifeCycleState === "deleting" || LifeCycleState === "deleted") continue;
        const diskId = diskOfRoot(RootDirectory?.Path ?? "") ?? owner;
        found.push({ id: AccessPointId, instanceId: owner, diskId, kept: tags.get(tagNames.keptBy) === owner });
      }
    }
  });
  return found;
}

/**
 * The instance's own view of the file system: its own root directory, and its own uid whoever asks. Repeating it gives the first one.
 * @returns its id, when it can be mounted
 */
export async function ensureAccessPoint(
  efs: EFSClient,
  settings: TeardownSettings,
  instanceId: string,
  clock: Clock,
): Promise<string> {
  const id = await createAccessPoint(efs, settings, instanceId);
  await awaitAccessPoint(efs, id, clock);
  return id;
}

async function createAccessPoint(efs: EFSClient, settings: TeardownSettings, instanceId: string): Promise<string> {
  const uid = uidOf(instanceId);
  const input = {
    ClientToken: instanceId,
    FileSystemId: settings.fileSystemId,
    PosixUser: { Uid: uid, Gid: uid },
    RootDirectory: {
      Path: rootOf(instanceId),
      CreationInfo: { OwnerUid: uid, OwnerGid: uid, Permissions: "0700" },
    },
    Tags: capitalTagsOf(settings.deployment, instanceId),
  };
  try {
    const { AccessPointId } = await efs.send(new CreateAccessPointCommand(input));
    if (AccessPointId !== undefined) return AccessPointId;
  } catch (thrown) {
    const existing = existsSchema.safeParse(thrown).data;
    if (existing === undefined) throw thrown;
    return existing.AccessPointId;
  }
  throw new BulkheadError("INTERNAL_ERROR", "The file system named no access point. Report the request id.");
}

const existsSchema = z.object({ name: z.literal("AccessPointAlreadyExists"), AccessPointId: z.string() });

/** A task that mounts it before would fail to start. */
async function awaitAccessPoint(efs: EFSClient, id: string, clock: Clock): Promise<void> {
  const giveUpAt = clock.now() + readyMs;
  for (;;) {
    const { AccessPoints } = await efs.send(new DescribeAccessPointsCommand({ AccessPointId: id }));
    if (AccessPoints?.[0]?.LifeCycleState === "available") return;
    if (clock.now() >= giveUpAt) {
      throw new BulkheadError("SERVICE_UNAVAILABLE", "The file system is slow. Try again in a moment.");
    }
    await clock.sleep(pollMs);
  }
}

export async function deleteAccessPoints(efs: EFSClient, points: readonly AccessPoint[]): Promise<void> {
  for (const { id } of points) {
    const command = new DeleteAccessPointCommand({ AccessPointId: id });
    await callProvider(() => unless(["AccessPointNotFound"], () => efs.send(command)));
  }
}
