import { DescribeTasksCommand, ListClustersCommand, ListTasksCommand, type Task } from "@aws-sdk/client-ecs";
import type { AccountClients } from "./clients.ts";

export interface FoundTask {
  readonly cluster: string;
  readonly task: Task;
  readonly instanceId: string;
}

function tag(task: Task, name: string): string | undefined {
  return task.tags?.find(({ key }) => key === name)?.value;
}

/** By name, never by position (aws-facts §1.4). */
export function privateAddress(task: Task): string | undefined {
  const details = task.attachments?.find(({ type }) => type === "ElasticNetworkInterface")?.details ?? [];
  return details.find(({ name }) => name === "privateIPv4Address")?.value;
}

/** The deployment's task that has this private address; undefined when there is none. */
export async function taskByAddress(
  { ecs }: Pick<AccountClients, "ecs">,
  deployment: string,
  address: string,
): Promise<FoundTask | undefined> {
  const { clusterArns = [] } = await ecs.send(new ListClustersCommand({}));
  for (const cluster of clusterArns) {
    const { taskArns = [] } = await ecs.send(new ListTasksCommand({ cluster }));
    if (taskArns.length === 0) continue;
    const { tasks = [] } = await ecs.send(new DescribeTasksCommand({ cluster, tasks: taskArns, include: ["TAGS"] }));
    const task = tasks.find((one) => privateAddress(one) === address && tag(one, "bulkhead:deployment") === deployment);
    const instanceId = task === undefined ? undefined : tag(task, "bulkhead:instance");
    if (task !== undefined && instanceId !== undefined) return { cluster, task, instanceId };
  }
  return undefined;
}

/** Seconds from RunTask to each step on the way to RUNNING. */
export function launchSteps(task: Task): Readonly<Record<string, number>> {
  const began = task.createdAt?.getTime();
  if (began === undefined) return {};
  const { connectivityAt, pullStartedAt, pullStoppedAt, startedAt } = task;
  const steps = { connected: connectivityAt, "pull began": pullStartedAt, pulled: pullStoppedAt, running: startedAt };
  return Object.fromEntries(
    Object.entries(steps).flatMap(([name, at]) => (at === undefined ? [] : [[name, (at.getTime() - began) / 1000]])),
  );
}
