import { type EFSClient, TagResourceCommand } from "@aws-sdk/client-efs";
import { BulkheadError } from "#contracts/errors.ts";
import type { Clock } from "#core/ports.ts";
import { type AccessPoint, listAccessPoints } from "./access-point.ts";
import type { ComputeClients } from "./clients.ts";
import { callProvider } from "./provider-failure.ts";
import { type TeardownSettings, tagNames } from "./settings.ts";
import { mayWrite } from "./task.ts";

/*
 * A kept disk is the access point of the instance that it was made for: its directory and its uid never change. Two tags say who has it,
 * each written by one call: `instance`, by who starts on it, and `kept-by`, by who ends and leaves it. It is kept while both are equal, so
 * whichever calls are cut off, repeated or late, no instance removes what another left, and what nobody uses is listed.
 */

const awaitMs = 20_000;
const lookMs = 1_000;

async function tag(efs: EFSClient, ResourceId: string, Key: string, Value: string): Promise<void> {
  await callProvider(() => efs.send(new TagResourceCommand({ ResourceId, Tags: [{ Key, Value }] })));
}

/** From now on what ends the instance leaves its files. Before its task is asked to stop: whoever hears of its end takes it down. */
export async function leaveDisk(efs: EFSClient, settings: TeardownSettings, instanceId: string): Promise<void> {
  for (const { id, kept } of await listAccessPoints(efs, settings, instanceId)) {
    if (!kept) await tag(efs, id, tagNames.keptBy, instanceId);
  }
}

/** The instance works on the disk: it ends with it from now on, unless it is left again. */
export function takeDisk(efs: EFSClient, point: AccessPoint, instanceId: string): Promise<void> {
  return tag(efs, point.id, tagNames.instance, instanceId);
}

/** Kept disks that no instance uses. */
export async function listKept(efs: EFSClient, settings: TeardownSettings): Promise<AccessPoint[]> {
  return (await listAccessPoints(efs, settings)).filter((point) => point.kept);
}

/**
 * The kept disk that an instance is to work on, or works on already.
 * @throws BulkheadError INTERNAL_ERROR when there is none of that id
 */
export async function findDisk(
  efs: EFSClient,
  settings: TeardownSettings,
  diskId: string,
  instanceId: string,
): Promise<AccessPoint> {
  const points = await listAccessPoints(efs, settings);
  const found = points.find((one) => one.diskId === diskId && (one.kept || one.instanceId === instanceId));
  if (found !== undefined) return found;
  throw new BulkheadError("INTERNAL_ERROR", "The sandbox's files are not there any more.");
}

/**
 * Waits until the disk's last user has ended: its task is given some seconds after it was asked to stop.
 * @throws BulkheadError SERVICE_UNAVAILABLE when it still runs after a while
 */
export async function awaitLeft(
  { ecs }: ComputeClients,
  settings: TeardownSettings,
  { instanceId }: AccessPoint,
  { clock, forMs = awaitMs }: { readonly clock: Clock; readonly forMs?: number },
): Promise<void> {
  const giveUpAt = clock.now() + forMs;
  while (await mayWrite(ecs, settings, instanceId)) {
    if (clock.now() + lookMs > giveUpAt) {
      throw new BulkheadError("SERVICE_UNAVAILABLE", "The sandbox's last instance has not ended yet. Try again.", {
        details: { retry_after_seconds: 10 },
      });
    }
    await clock.sleep(lookMs);
  }
}
