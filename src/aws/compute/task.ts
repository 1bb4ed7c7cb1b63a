import {
  ConflictException,
  DescribeTasksCommand,
  type ECSClient,
  paginateListTasks,
  RunTaskCommand,
  type RunTaskCommandOutput,
  StopTaskCommand,
  type Task,
} from "@aws-sdk/client-ecs";
import { BulkheadError } from "#contracts/errors.ts";
import type { InstanceTruth } from "#core/ports.ts";
import { tagsOf } from "./names.ts";
import { callProvider, full, providerFailure } from "./provider-failure.ts";
import { type LaunchSettings, type TeardownSettings, tagNames } from "./settings.ts";

const describedAtOnce = 100;

export interface TaskParts {
  readonly taskDefinition: string;
  readonly securityGroup: string;
}

/** Runs the instance's task, once however often it is asked. @returns its ARN */
export async function runTask(
  ecs: ECSClient,
  settings: LaunchSettings,
  instanceId: string,
  { taskDefinition, securityGroup }: TaskParts,
): Promise<string> {
  try {
    return started(
      await ecs.send(
        new RunTaskCommand({
          cluster: settings.cluster,
          taskDefinition,
          launchType: "FARGATE",
          platformVersion: "1.4.0",
          count: 1,
          clientToken: instanceId,
          startedBy: instanceId,
          group: settings.deployment,
          enableExecuteCommand: false,
          tags: [...tagsOf(settings.deployment, instanceId)],
          networkConfiguration: {
            awsvpcConfiguration: {
              subnets: [...settings.subnetIds],
              securityGroups: [securityGroup],
              assignPublicIp: "DISABLED",
            },
          },
        }),
      ),
    );
  } catch (thrown) {
    // The same client token with other parameters: an earlier attempt's task runs already.
    const existing = thrown instanceof ConflictException ? thrown.resourceIds?.[0] : undefined;
    if (existing !== undefined) return existing;
    throw providerFailure(thrown);
  }
}

/** A 200 may carry nothing but failures. */
function started({ tasks, failures }: RunTaskCommandOutput): string {
  const arn = tasks?.[0]?.taskArn;
  if (arn !== undefined) return arn;
  const reason = failures?.[0]?.reason ?? "no reason given";
  const cause = new Error(`RunTask: ${reason} ${failures?.[0]?.detail ?? ""}`.trim());
  if (/^RESOURCE|capacity/i.test(reason)) throw full(cause);
  throw new BulkheadError("INTERNAL_ERROR", "The container service started no task. Report the request id.", { cause });
}

export type Desired = "RUNNING" | "STOPPED";

/** ARNs of tasks, of the whole cluster or of one instance. Stopped ones are listed for about an hour. */
export async function listTasks(
  ecs: ECSClient,
  settings: Pick<TeardownSettings, "cluster">,
  desiredStatus: Desired,
  startedBy?: string,
): Promise<string[]> {
  const arns: string[] = [];
  const query = { cluster: settings.cluster, desiredStatus, ...(startedBy !== undefined && { startedBy }) };
  await callProvider(async () => {
    for await (const page of paginateListTasks({ client: ecs }, query)) arns.push(...(page.taskArns ?? []));
  });
  return arns;
}

export async function describeTasks(
  ecs: ECSClient,
  settings: Pick<TeardownSettings, "cluster">,
  arns: readonly string[],
): Promise<Task[]> {
  const found: Task[] = [];
  for (let first = 0; first < arns.length; first += describedAtOnce) {
    const tasks = arns.slice(first, first + describedAtOnce);
    const command = new DescribeTasksCommand({ cluster: settings.cluster, tasks, include: ["TAGS"] });
    const answer = await callProvider(() => ecs.send(command));
    found.push(...(answer?.tasks ?? []));
  }
  return found;
}

export async function stopTask(
  ecs: ECSClient,
  settings: Pick<TeardownSettings, "cluster">,
  task: string,
): Promise<void> {
  const command = new StopTaskCommand({ cluster: settings.cluster, task, reason: "ended by Bulkhead" });
  // What is not there is stopped.
  await callProvider(() => ecs.send(command), "InvalidParameterException");
}

/** What ECS says of a task in the core's words; undefined for a task that is not of this deployment. */
export function truthOf(task: Task, settings: TeardownSettings, agentPort: number): InstanceTruth | undefined {
  const tags = new Map(task.tags?.map((tag) => [tag.key, tag.value]));
  const instanceId = tags.get(tagNames.instance);
  if (instanceId === undefined || tags.get(tagNames.deployment) !== settings.deployment) return undefined;
  const state = stateOf(task.lastStatus, task.desiredStatus);
  const host = privateAddress(task.attachments ?? []);
  const endpoint = state === "running" && host !== null ? ({ kind: "tcp", host, port: agentPort } as const) : null;
  return { instanceId, providerId: task.taskArn ?? "", state, endpoint };
}

function stateOf(last: string | undefined, desired: string | undefined): InstanceTruth["state"] {
  if (desired === "STOPPED" || last === "STOPPED") return "gone";
  return last === "RUNNING" ? "running" : "starting";
}

interface Attachment {
  readonly details?: readonly { readonly name?: string | undefined; readonly value?: string | undefined }[] | undefined;
}

/** By name: the order of details and attachments is not promised. */
export function privateAddress(attachments: readonly Attachment[]): string | null {
  for (const { details } of attachments) {
    const value = details?.find((detail) => detail.name === "privateIPv4Address")?.value;
    if (value !== undefined) return value;
  }
  return null;
}
