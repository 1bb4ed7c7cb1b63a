import { BulkheadError } from "#contracts/errors.ts";
import type { Compute, InstanceTruth, LaunchRequest } from "#core/ports.ts";
import { makeUndo, type Undo } from "#core/saga.ts";
import { awaitAccessPoint, createAccessPoint, deleteAccessPoint } from "./access-point.ts";
import { computeClients } from "./clients.ts";
import { fargateEnforcement } from "./enforcement.ts";
import { fargateSize } from "./fargate-size.ts";
import { makeFargateTeardown, type TeardownDeps } from "./fargate-teardown.ts";
import { asNoRoom, callProvider } from "./provider-failure.ts";
import { createGroup, deleteGroups, listGroups, setRules } from "./security-group.ts";
import type { LaunchSettings } from "./settings.ts";
import { listTasks, runTask, stopTasks } from "./task.ts";
import { imageOf, taskDefinition } from "./task-definition.ts";
import { deleteTaskDefinitions, listTaskDefinitions, registerTaskDefinition } from "./task-definitions.ts";

export interface FargateDeps extends Omit<TeardownDeps, "settings" | "agentPort"> {
  readonly settings: LaunchSettings;
}

/** A new task is neither listed nor described at once. */
const unseenMs = 60_000;

/** Instances as Fargate tasks, each with its own access point, security group and task definition. */
export function makeFargateCompute(deps: FargateDeps): Compute {
  const { settings, clock, logger, retryForMs = 20_000 } = deps;
  const clients = deps.clients ?? computeClients(deps.region);
  const { ecs, ec2, efs } = clients;
  const teardown = makeFargateTeardown({ ...deps, clients, agentPort: settings.agentPort });
  const launched = new Map<string, { readonly providerId: string; readonly at: number }>();

  async function ensureWorkspace(instanceId: string, undo: Undo): Promise<string> {
    const { id, made } = await createAccessPoint(efs, settings, instanceId);
    if (made) undo.add("access point", () => deleteAccessPoint(efs, id));
    await awaitAccessPoint(efs, id, clock);
    return id;
  }

  /** `made` tells a first launch from a repeated one: the name of a group is taken once. */
  async function ensureGroup(instanceId: string, undo: Undo): Promise<{ readonly id: string; readonly made: boolean }> {
    const made = await createGroup(ec2, settings, instanceId);
    if (made !== null) {
      undo.add("security group", () => deleteGroups(ec2, settings, instanceId, { clock, retryForMs }));
    }
    const id = made ?? (await listGroups(ec2, settings, instanceId))[0]?.id;
    if (id === undefined) {
      throw new BulkheadError("SERVICE_UNAVAILABLE", "The instance's network is not to be seen yet. Try again.");
    }
    await setRules(ec2, settings, id);
    return { id, made: made !== null };
  }

  async function ensureDefinition(request: LaunchRequest, accessPoint: string, first: boolean): Promise<string> {
    const known = first ? [] : await listTaskDefinitions(ecs, settings, request.instanceId, "ACTIVE");
    return known.at(-1) ?? registerTaskDefinition(ecs, taskDefinition(settings, request, accessPoint));
  }

  /** Undoes what it made itself: what an earlier launch of the instance made may be in use. */
  async function make(request: LaunchRequest, undo: Undo): Promise<string> {
    const { instanceId } = request;
    const [accessPoint, group] = await both(ensureWorkspace(instanceId, undo), ensureGroup(instanceId, undo));
    if (!group.made) {
      const [running] = await listTasks(ecs, settings, instanceId);
      if (running !== undefined) return running;
    }
    if (group.made) undo.add("task definition", () => deleteTaskDefinitions(ecs, settings, instanceId));
    const definition = await ensureDefinition(request, accessPoint, group.made);
    // An answer that was lost leaves a task.
    if (group.made) undo.add("task", () => stopTasks(ecs, settings, instanceId));
    return runTask(ecs, settings, instanceId, { taskDefinition: definition, securityGroup: group.id });
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
      const undo = makeUndo(logger);
      try {
        const providerId = await make(request, undo);
        launched.set(request.instanceId, { providerId, at: clock.now() });
        return { providerId, endpoint: null, enforced: fargateEnforcement };
      } catch (thrown) {
        await undo.run();
        return callProvider(() => Promise.reject(asNoRoom(thrown)));
      }
    },
    describe: async (instanceId) => (await teardown.describe(instanceId)) ?? justLaunched(instanceId),
    async stop(instanceId) {
      launched.delete(instanceId);
      await teardown.stop(instanceId);
    },
  };
}

/** Both, or the first's error when both have come to an end: nothing is made any more once it throws. */
async function both<A, B>(a: Promise<A>, b: Promise<B>): Promise<[A, B]> {
  await Promise.allSettled([a, b]);
  return Promise.all([a, b]);
}
