import type { Compute, LaunchRequest, Launched } from "#core/ports.ts";
import type { Clock } from "#core/ports.ts";
import { makeUndo } from "#core/saga.ts";
import { deleteAccessPoints, ensureAccessPoint } from "./access-point.ts";
import { makeComputeClients } from "./clients.ts";
import { fargateEnforcement } from "./enforcement.ts";
import { fargateSize } from "./fargate-size.ts";
import { makeFargateTeardown, type TeardownDeps } from "./fargate-teardown.ts";
import { deleteGroups, ensureGroup } from "./security-group.ts";
import type { LaunchSettings } from "./settings.ts";
import { listTasks, runTask } from "./task.ts";
import { deleteTaskDefinitions, registerTaskDefinition } from "./task-definition.ts";

export interface FargateDeps extends Omit<TeardownDeps, "settings"> {
  readonly settings: LaunchSettings;
  readonly clock: Clock;
}

/** Instances as Fargate tasks, each with its own access point, security group and task definition. */
export function makeFargateCompute(deps: FargateDeps): Compute {
  const { settings, clock, logger } = deps;
  const clients = deps.clients ?? makeComputeClients(deps.region);
  const { ecs, ec2, efs } = clients;

  async function make(request: LaunchRequest): Promise<string> {
    const { instanceId } = request;
    const undo = makeUndo(logger);
    try {
      undo.add("access point", () => deleteAccessPoints(efs, settings, instanceId));
      undo.add("security group", () => deleteGroups(ec2, settings, instanceId));
      undo.add("task definition", () => deleteTaskDefinitions(ecs, settings, instanceId));
      const [accessPoint, securityGroup] = await Promise.all([
        ensureAccessPoint(efs, settings, instanceId, clock),
        ensureGroup(ec2, settings, instanceId),
      ]);
      const taskDefinition = await registerTaskDefinition(ecs, settings, request, accessPoint);
      return await runTask(ecs, settings, instanceId, { taskDefinition, securityGroup });
    } catch (thrown) {
      await undo.run();
      throw thrown;
    }
  }

  return {
    ...makeFargateTeardown({ ...deps, clients, agentPort: settings.agentPort }),
    async launch(request): Promise<Launched> {
      // Refused before anything is made.
      fargateSize(request.resources);
      const [running] = await listTasks(ecs, settings, "RUNNING", request.instanceId);
      return { providerId: running ?? (await make(request)), endpoint: null, enforced: fargateEnforcement };
    },
  };
}
