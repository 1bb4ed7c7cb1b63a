import { DescribeTasksCommand } from "@aws-sdk/client-ecs";
import type { Journal } from "../journal.ts";
import type { AccountClients } from "./clients.ts";
import type { FoundTask } from "./tasks.ts";

const everyMs = 3000;
const patienceMs = 10 * 60_000;

/** Waits until `done` and says after how long. @throws Error when it takes longer than ten minutes */
async function until(done: () => Promise<boolean>, what: string): Promise<number> {
  const began = performance.now();
  while (!(await done())) {
    if (performance.now() - began > patienceMs) throw new Error(`${what} took more than ten minutes`);
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
  return performance.now() - began;
}

/** After the kill of its sandbox: how long until the task is STOPPED, and until its security group is gone. */
export async function teardownLag(
  journal: Journal,
  { ecs, ec2 }: Pick<AccountClients, "ecs" | "ec2">,
  { cluster, task, instanceId }: FoundTask,
): Promise<void> {
  const tasks = task.taskArn === undefined ? [] : [task.taskArn];
  const stopped = async (): Promise<boolean> => {
    const answer = await ecs.send(new DescribeTasksCommand({ cluster, tasks }));
    return (answer.tasks ?? []).every(({ lastStatus }) => lastStatus === "STOPPED");
  };
  const groupGone = async (): Promise<boolean> => {
    const Filter = [{ Name: "tag:bulkhead:instance", Value: [instanceId] }];
    const { securityGroupInfo } = await ec2.call("DescribeSecurityGroups", { Filter });
    // An empty list comes as an empty element.
    return typeof securityGroupInfo !== "object" || securityGroupInfo === null;
  };
  const seconds = (ms: number): string => `after ${(ms / 1000).toFixed(0)} s, looked for each ${everyMs / 1000} s`;
  await journal.step("the task stops", () => until(stopped, "stopping the task"), seconds);
  await journal.step("its security group goes", () => until(groupGone, "deleting the security group"), seconds);
}
