import { addressOf, type FakeState, statusOf, type Task } from "./state.ts";

/** A task as DescribeTasks and "ECS Task State Change" show it. */
export function describeTask(state: FakeState, task: Task, withTags: boolean): Record<string, unknown> {
  const lastStatus = statusOf(state, task);
  const address = addressOf(state, task);
  const stopped = lastStatus === "STOPPED" ? task.stop : null;
  return {
    taskArn: task.arn,
    clusterArn: `arn:aws:ecs:${state.region}:123456789012:cluster/${state.cluster}`,
    taskDefinitionArn: task.taskDefinitionArn,
    startedBy: task.startedBy,
    group: task.group,
    launchType: "FARGATE",
    platformVersion: "1.4.0",
    lastStatus,
    desiredStatus: task.stop === null ? "RUNNING" : "STOPPED",
    version: 1 + Math.floor((state.now() - task.createdAt) / 1_000),
    ...(task.stop !== null && { stopCode: task.stop.code, stoppedReason: task.stop.reason }),
    // Another kind of attachment comes first: the order is not promised.
    attachments: [
      { id: "other", type: "Service Connect", status: "ATTACHED", details: [] },
      {
        id: `attachment-${task.ip}`,
        type: "ElasticNetworkInterface",
        status: address === null ? "PRECREATED" : "ATTACHED",
        details: [
          { name: "subnetId", value: task.subnetId },
          ...(address === null ? [] : [{ name: "networkInterfaceId", value: `eni-${task.ip}` }]),
          ...(address === null ? [] : [{ name: "privateIPv4Address", value: address }]),
        ],
      },
    ],
    containers: [
      {
        name: "agent",
        lastStatus,
        ...(stopped !== null && stopped.exitCode !== null && { exitCode: stopped.exitCode }),
        ...(stopped?.reason.startsWith("OutOfMemoryError") === true && { reason: stopped.reason }),
      },
    ],
    ...(withTags && { tags: task.tags }),
  };
}
