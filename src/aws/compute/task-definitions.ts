import {
  DeleteTaskDefinitionsCommand,
  DeregisterTaskDefinitionCommand,
  type ECSClient,
  paginateListTaskDefinitionFamilies,
  paginateListTaskDefinitions,
  RegisterTaskDefinitionCommand,
  type RegisterTaskDefinitionCommandInput,
  type TaskDefinitionStatus,
} from "@aws-sdk/client-ecs";
import { BulkheadError } from "#contracts/errors.ts";
import { instanceOfName, nameOf } from "./names.ts";
import { callProvider } from "./provider-failure.ts";
import type { TeardownSettings } from "./settings.ts";

/** DeleteTaskDefinitions takes no more. */
const deletedAtOnce = 10;

/** @returns its ARN */
export async function registerTaskDefinition(
  ecs: ECSClient,
  input: RegisterTaskDefinitionCommandInput,
): Promise<string> {
  const { taskDefinition } = await ecs.send(new RegisterTaskDefinitionCommand(input));
  if (taskDefinition?.taskDefinitionArn !== undefined) return taskDefinition.taskDefinitionArn;
  throw new BulkheadError("INTERNAL_ERROR", "The container service named no task definition. Report the request id.");
}

/** Revisions of the instance's own family. */
export async function listTaskDefinitions(
  ecs: ECSClient,
  { deployment }: TeardownSettings,
  instanceId: string,
  status: TaskDefinitionStatus,
): Promise<string[]> {
  const arns: string[] = [];
  // Not a prefix, whatever its name says: the whole family.
  const query = { familyPrefix: nameOf(deployment, instanceId), status };
  await callProvider(async () => {
    for await (const page of paginateListTaskDefinitions({ client: ecs }, query)) {
      arns.push(...(page.taskDefinitionArns ?? []));
    }
  });
  return arns;
}

/** Instances that have a revision that was not deregistered. */
export async function listDefinedInstances(ecs: ECSClient, { deployment }: TeardownSettings): Promise<string[]> {
  const found: string[] = [];
  const query = { familyPrefix: `${deployment}-i`, status: "ACTIVE" } as const;
  await callProvider(async () => {
    for await (const page of paginateListTaskDefinitionFamilies({ client: ecs }, query)) {
      for (const family of page.families ?? []) {
        const instanceId = instanceOfName(deployment, family);
        if (instanceId !== undefined) found.push(instanceId);
      }
    }
  });
  return found;
}

/** Deregisters and deletes all of the instance's revisions; those in use vanish when their tasks have ended. */
export async function deleteTaskDefinitions(
  ecs: ECSClient,
  settings: TeardownSettings,
  instanceId: string,
): Promise<void> {
  for (const taskDefinition of await listTaskDefinitions(ecs, settings, instanceId, "ACTIVE")) {
    await callProvider(() => ecs.send(new DeregisterTaskDefinitionCommand({ taskDefinition })));
  }
  const arns = await listTaskDefinitions(ecs, settings, instanceId, "INACTIVE");
  for (let first = 0; first < arns.length; first += deletedAtOnce) {
    const taskDefinitions = arns.slice(first, first + deletedAtOnce);
    await callProvider(() => ecs.send(new DeleteTaskDefinitionsCommand({ taskDefinitions })));
  }
}
