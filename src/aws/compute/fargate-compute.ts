import { BulkheadError } from "#contracts/errors.ts";
import type { Compute, InstanceTruth, LaunchRequest } from "#core/ports.ts";
import { makeUndo, type Undo } from "#core/saga.ts";
import { type AccessPoint, deleteAccessPoints, ensureAccessPoint, listAccessPoints } from "./access-point.ts";
import { computeClients } from "./clients.ts";
import { fargateEnforcement } from "./enforcement.ts";
import { fargateSize } from "./fargate-size.ts";
import { makeFargateTeardown, type TeardownDeps } from "./fargate-teardown.ts";
import { awaitLeft, findDisk, takeDisk } from "./kept-disk.ts";
import { isUnknown, launchFailure } from "./provider-failure.ts";
import { createGroup, deleteGroups, listGroups, setRules } from "./security-group.ts";
import type { LaunchSettings } from "./settings.ts";
import { listTasks, runTask, stopTasks } from "./task.ts";
import { imageOf, taskDefinition } from "./task-definition.ts";
import { deleteTaskDefinitions, listTaskDefinitions, registerTaskDefinition } from "./task-definitions.ts";

export interface FargateDeps extends Omit<TeardownDeps, "settings" | "agentPort"> {
  readonly settings: LaunchSettings;
  /** Certificate of the egress CA, PEM, for instances to trust. @default - there is none */
  readonly egressCa?: () => Promise<string | undefined>;
}

/** A new task is neither listed nor described at once. */
const unseenMs = 60_000;
const lookMs = 1_000;
const looks = 8;

/** Takes nothing back. */
const nothing: Undo = { add: () => {}, run: () => Promise.resolve([]) };

/**
 * Instances as Fargate tasks, each with its own security group, access point and task definition. The security group comes first: its name
 * is taken once, so that whoever made it owns what follows, and takes it back on failure; a repeated launch only adds what is missing.
 */
export function makeFargateCompute(deps: FargateDeps): Compute {
  const { settings, clock, logger, retryForMs = 20_000 } = deps;
  const clients = deps.clients ?? computeClients(deps.region);
  const { ecs, ec2, efs } = clients;
  const teardown = makeFargateTeardown({ ...deps, clients, agentPort: settings.agentPort });
  const launched = new Map<string, { readonly providerId: string; readonly at: number }>();

  async function ensureGroup(instanceId: string, undo: Undo): Promise<{ readonly id: string; readonly made: boolean }> {
    const takeBack = () => deleteGroups(ec2, settings, instanceId, { clock, retryForMs });
    try {
      const made = await createGroup(ec2, settings, instanceId);
      if (made !== null) {
        undo.add("security group", takeBack);
        return { id: made, made: true };
      }
    } catch (thrown) {
      if (isUnknown(thrown)) undo.add("security group", takeBack);
      throw thrown;
    }
    const [existing] = await listGroups(ec2, settings, instanceId);
    if (existing !== undefined) return { id: existing.id, made: false };
    throw new BulkheadError("SERVICE_UNAVAILABLE", "The instance's network is not to be seen yet. Try again.");
  }

  async function ensureDefinition(request: LaunchRequest, accessPoint: string, first: boolean): Promise<string> {
    const known = first ? [] : await listTaskDefinitions(ecs, settings, request.instanceId, "ACTIVE");
    const [last] = known.slice(-1);
    if (last !== undefined) return last;
    return registerTaskDefinition(ecs, taskDefinition(settings, request, accessPoint, await deps.egressCa?.()));
  }

  async function removeAccessPoints(instanceId: string): Promise<void> {
    await deleteAccessPoints(efs, await listAccessPoints(efs, settings, instanceId));
  }

  /** @returns its access point, once the instance before has ended */
  async function waitFor(disk: AccessPoint, instanceId: string): Promise<string> {
    if (disk.instanceId !== instanceId) await awaitLeft(clients, settings, disk, { clock });
    return disk.id;
  }

  /** Once it runs, so that a launch that comes to nothing leaves the disk as it was. */
  async function take(disk: AccessPoint, instanceId: string): Promise<void> {
    if (disk.instanceId === instanceId) return;
    try {
      await takeDisk(efs, disk, instanceId);
    } catch (error) {
      // It stays kept then: nothing removes it but removeDisk.
      logger.warn("disk not given to its instance", { instance: instanceId, disk: disk.diskId, error });
    }
  }

  /** Stops a task that may have been started and is not listed yet. */
  async function stopUnseen(instanceId: string): Promise<void> {
    for (let look = 0; look < looks; look += 1) {
      if ((await stopTasks(ecs, settings, instanceId)) > 0) return;
      await clock.sleep(lookMs);
    }
  }

  async function make(request: LaunchRequest, disk: AccessPoint | null, undo: Undo): Promise<string> {
    const { instanceId } = request;
    const group = await ensureGroup(instanceId, undo);
    if (!group.made) {
      const [running] = await listTasks(ecs, settings, instanceId);
      if (running !== undefined) return running;
    }
    // What an earlier launch made may be in use.
    const own = group.made ? undo : nothing;
    // Nor is a kept disk taken back: it is not this launch's.
    if (disk === null) own.add("access point", () => removeAccessPoints(instanceId));
    const [accessPoint] = await both(
      disk === null ? ensureAccessPoint(efs, settings, instanceId, clock) : waitFor(disk, instanceId),
      setRules(ec2, settings, group.id, clock),
    );
    own.add("task definition", () => deleteTaskDefinitions(ecs, settings, instanceId));
    const definition = await ensureDefinition(request, accessPoint, group.made);
    try {
      return await runTask(ecs, settings, instanceId, { taskDefinition: definition, securityGroup: group.id });
    } catch (thrown) {
      if (isUnknown(thrown)) own.add("task", () => stopUnseen(instanceId));
      throw thrown;
    }
  }

  function justLaunched(instanceId: string): InstanceTruth | undefined {
    for (const [id, { at }] of launched) if (clock.now() - at > unseenMs) launched.delete(id);
    const providerId = launched.get(instanceId)?.providerId;
    return providerId === undefined ? undefined : { instanceId, providerId, state: "starting", endpoint: null };
  }

  return {
    ...teardown,
    async launch(request) {
      // Refused before anything is made.
      fargateSize(request.resources);
      imageOf(settings, request.template.name);
      const { instanceId, diskId } = request;
      const disk = diskId === undefined ? null : await findDisk(efs, settings, diskId, instanceId);
      const undo = makeUndo(logger);
      try {
        const providerId = await make(request, disk, undo);
        if (disk !== null) await take(disk, instanceId);
        launched.set(instanceId, { providerId, at: clock.now() });
        return { providerId, endpoint: null, enforced: fargateEnforcement };
      } catch (thrown) {
        await undo.run();
        throw launchFailure(thrown);
      }
    },
    describe: async (instanceId) => (await teardown.describe(instanceId)) ?? justLaunched(instanceId),
    async stop(instanceId, options) {
      launched.delete(instanceId);
      await teardown.stop(instanceId, options);
    },
  };
}

/** Both, or the first's error when both have come to an end: nothing is made any more once it throws. */
async function both<A, B>(a: Promise<A>, b: Promise<B>): Promise<[A, B]> {
  await Promise.allSettled([a, b]);
  return Promise.all([a, b]);
}
