import { describe, expect, it } from "vitest";
import { parseTaskEvent } from "#aws/compute/task-event.ts";

const instanceId = "i0123456789abcdef";
/** As EventBridge delivers it, without what nobody reads. */
const placed = {
  attachments: [
    { id: "1", type: "Service Connect", status: "ATTACHED", details: [] },
    {
      id: "2",
      type: "eni",
      status: "ATTACHED",
      details: [
        { name: "subnetId", value: "subnet-1" },
        { name: "privateIPv4Address", value: "10.64.3.9" },
      ],
    },
  ],
  clusterArn: "arn:aws:ecs:eu-west-1:123456789012:cluster/instances",
  containers: [{ containerArn: "arn:c", name: "agent", lastStatus: "RUNNING" }],
  desiredStatus: "RUNNING",
  lastStatus: "RUNNING",
  startedBy: instanceId,
  taskArn: "arn:aws:ecs:eu-west-1:123456789012:task/instances/1",
  version: 4,
};

function stopped(stopCode: string | undefined, exitCode: number | undefined, reason = "") {
  return {
    ...placed,
    desiredStatus: "STOPPED",
    lastStatus: "STOPPED",
    ...(stopCode !== undefined && { stopCode }),
    stoppedReason: "x",
    containers: [
      { name: "sidecar", exitCode: 80 },
      { name: "agent", ...(exitCode !== undefined && { exitCode }), ...(reason !== "" && { reason }) },
    ],
  };
}

describe("a change of a task", () => {
  it("that runs has the address of its network interface, wherever it stands", () => {
    expect(parseTaskEvent(placed, 8000)).toEqual({
      instanceId,
      version: 4,
      lastStatus: "RUNNING",
      desiredStatus: "RUNNING",
      running: true,
      stopped: false,
      endpoint: { kind: "tcp", host: "10.64.3.9", port: 8000 },
      exit: null,
    });
  });

  it("that has its address before it runs does not run yet", () => {
    expect(parseTaskEvent({ ...placed, lastStatus: "PENDING" })).toMatchObject({ running: false, exit: null });
    expect(parseTaskEvent({ ...placed, lastStatus: "PROVISIONING", attachments: [] })).toMatchObject({
      endpoint: null,
    });
  });

  it("that is asked to stop does not count as running, nor as stopped", () => {
    const event = parseTaskEvent({ ...placed, desiredStatus: "STOPPED" });
    expect(event).toMatchObject({ running: false, stopped: false, exit: null });
  });

  const causes: readonly [string | undefined, number | undefined, string, string][] = [
    ["EssentialContainerExited", 80, "", "timeout"],
    ["EssentialContainerExited", 81, "", "idle"],
    ["EssentialContainerExited", 82, "", "lifetime"],
    ["EssentialContainerExited", 83, "", "disk_full"],
    ["EssentialContainerExited", 137, "OutOfMemoryError: Container killed due to memory usage", "out_of_memory"],
    ["EssentialContainerExited", 137, "", "task_failed"],
    ["EssentialContainerExited", 1, "", "task_failed"],
    ["EssentialContainerExited", undefined, "", "task_failed"],
    ["UserInitiated", 143, "", "task_failed"],
    ["UserInitiated", 81, "", "idle"],
    ["ServiceSchedulerInitiated", undefined, "", "task_failed"],
    ["TaskFailedToStart", undefined, "CannotPullContainerError: …", "task_failed"],
    ["SpotInterruption", 143, "", "host_retired"],
    ["TerminationNotice", undefined, "", "host_retired"],
    ["InfrastructureHealth", undefined, "", "host_retired"],
    ["SomethingNew", 1, "", "task_failed"],
    [undefined, undefined, "", "task_failed"],
  ];
  for (const [stopCode, exitCode, reason, cause] of causes) {
    it(`that stopped by ${stopCode ?? "nothing said"} with ${exitCode ?? "no code"} ${reason} is ${cause}`, () => {
      const event = parseTaskEvent(stopped(stopCode, exitCode, reason));
      expect(event).toMatchObject({ running: false, stopped: true, exit: { instanceId, cause } });
      // Safe to show: no ARN, no text of the provider.
      expect(event?.exit?.message).not.toMatch(/arn:|Cannot/);
    });
  }

  it("of something that is not one of our instances is nothing", () => {
    for (const detail of [
      { ...placed, startedBy: "ecs-svc/123" },
      { ...placed, startedBy: undefined },
      {},
      null,
      "x",
    ]) {
      expect(parseTaskEvent(detail)).toBeNull();
    }
  });
});
