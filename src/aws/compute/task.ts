import {
  DescribeTasksCommand,
  type ECSClient,
  paginateListTasks,
  RunTaskCommand,
  StopTaskCommand,
  type Task,
} from "@aws-sdk/client-ecs";
import * as z from "zod";
import { BulkheadError } from "#contracts/errors.ts";
import type { InstanceTruth } from "#core/ports.ts";
import { nameOf, tagsOf } from "./names.ts";
import { callProvider, full, unless } from "./provider-failure.ts";
import { type LaunchSettings, type TeardownSettings, tagNames } from "./settings.ts";

/** DescribeTasks takes no more. */
const describedAtOnce = 100;

type Where = Pick<TeardownSettings, "cluster">;

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
  const command = new RunTaskCommand({
    cluster: settings.cluster,
    taskDefinition,
    launchType: "FARGATE",
    platformVersion: "1.4.0",
    count: 1,
    clientToken: instanceId,
    startedBy: instanceId,
    group: settings.deployment,
    enableExecuteCommand: false,
    tags: tagsOf(settings.deployment, instanceId),
    networkConfiguration: {
      awsvpcConfiguration: {
        subnets: [...settings.subnetIds],
        securityGroups: [securityGroup],
        assignPublicIp: "DISABLED",
      },
    },
  });
  try {
    const { tasks, failures } = await ecs.send(command);
    // A 200 may carry nothing but failures.
    return tasks?.[0] === undefined ? refused(failures?.[0]) : alive(tasks[0]);
  } catch (thrown) {
    // The same client token with other parameters: an earlier attempt's task is there already.
    const arn = conflictSchema.safeParse(thrown).data?.resourceIds[0];
    if (arn === undefined) throw thrown;
    const [existing] = await describeTasks(ecs, settings, [arn]);
    return existing === undefined ? arn : alive(existing);
  }
}

const conflictSchema = z.object({ name: z.literal("ConflictException"), resourceIds: z.array(z.string()) });

function alive({ taskArn, desiredStatus }: Task): string {
  if (taskArn === undefined || desiredStatus === "STOPPED") {
    throw new BulkheadError(
      "CONFLICT",
      "This instance ended already and cannot be started again. Ask for another one.",
    );
  }
  return taskArn;
}

function refused(failure: { readonly reason?: string | undefined; readonly detail?: string | undefined } = {}): never {
  const { reason = "no reason given", detail = "" } = failure;
  const cause = new Error(`RunTask: ${reason} ${detail}`.trim());
  if (/^RESOURCE|capacity|limit/i.test(reason)) throw full(cause, 30);
  throw new BulkheadError("INTERNAL_ERROR", "The container service started no task. Report the request id.", { cause });
}

/** ARNs of tasks that are meant to run, of the whole cluster or of one instance. */
export async function listTasks(ecs: ECSClient, { cluster }: Where, startedBy?: string): Promise<string[]> {
  const arns: string[] = [];
  // `startedBy` must be the only filter, and RUNNING is the default then.
  const query = { cluster, ...(startedBy === undefined ? { desiredStatus: "RUNNING" as const } : { startedBy }) };
  await callProvider(async () => {
    for await (const page of paginateListTasks({ client: ecs }, query)) arns.push(...(page.taskArns ?? []));
  });
  return arns;
}

/** ARNs of an instance's tasks that were asked to stop, for about an hour. */
async function listStopping(ecs: ECSClient, settings: TeardownSettings, instanceId: string): Promise<string[]> {
  const arns: string[] = [];
  const family = nameOf(settings.deployment, instanceId);
  const query = { cluster: settings.cluster, family, desiredStatus: "STOPPED" as const };
  await callProvider(async () => {
    for await (const page of paginateListTasks({ client: ecs }, query)) arns.push(...(page.taskArns ?? []));
  });
  return arns;
}

/** Whether code of the instance may still run. Containers have ended once their network interface is being taken away. */
export async function mayWrite(ecs: ECSClient, settings: TeardownSettings, instanceId: string): Promise<boolean> {
  const [running, stopping] = await Promise.all([
    listTasks(ecs, settings, instanceId),
    listStopping(ecs, settings, instanceId),
  ]);
  const tasks = await describeTasks(ecs, settings, [...running, ...stopping]);
  return tasks.some(({ lastStatus }) => lastStatus !== "DEPROVISIONING" && lastStatus !== "STOPPED");
}

export async function describeTasks(ecs: ECSClient, { cluster }: Where, arns: readonly string[]): Promise<Task[]> {
  const found: Task[] = [];
  for (let first = 0; first < arns.length; first += describedAtOnce) {
    const tasks = arns.slice(first, first + describedAtOnce);
    const command = new DescribeTasksCommand({ cluster, tasks, include: ["TAGS"] });
    const answer = await callProvider(() => ecs.send(command));
    found.push(...(answer.tasks ?? []));
  }
  return found;
}

export async function stopTask(ecs: ECSClient, { cluster }: Where, task: string): Promise<void> {
  const command = new StopTaskCommand({ cluster, task, reason: "ended by Bulkhead" });
  // What is not there has stopped.
  await callProvider(() => unless(["InvalidParameterException"], () => ecs.send(command)));
}

/** Asks every task of an instance to stop. @returns how many */
export async function stopTasks(ecs: ECSClient, where: Where, instanceId: string): Promise<number> {
  const tasks = await listTasks(ecs, where, instanceId);
  for (const task of tasks) await stopTask(ecs, where, task);
  return tasks.length;
}

/** What ECS says of a task, in the core's words; undefined for a task that is not of this deployment. */
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

/** By name: the order of attachments and of their details is not promised. */
export function privateAddress(attachments: readonly Attachment[]): string | null {
  for (const { details } of attachments) {
    const value = details?.find((detail) => detail.name === "privateIPv4Address")?.value;
    if (value !== undefined) return value;
  }
  return null;
}
