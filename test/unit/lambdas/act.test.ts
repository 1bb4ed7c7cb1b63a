import { describe, expect, it } from "vitest";
import { parseTaskEvent } from "#aws/compute/task-event.ts";
import type { Endpoint, InstanceRecord } from "#core/model.ts";
import type { InstanceExit } from "#core/ports.ts";
import { anInstance } from "#test/support/fixtures.ts";
import { actOnTask } from "../../../lambdas/task-events/act.ts";

const instanceId = "i0000000000000abc";
const endpoint = { kind: "tcp", host: "10.64.3.9", port: 7777 };

/** As ECS tells it: the interface's address stands there from PENDING on, and still while the task is being stopped. */
const detail = (lastStatus: string, desiredStatus: string) => ({
  lastStatus,
  desiredStatus,
  startedBy: instanceId,
  version: 3,
  attachments: [{ details: [{ name: "privateIPv4Address", value: endpoint.host }] }],
  containers: [{ name: "agent" }],
});

async function toldOf(lastStatus: string, desiredStatus: string, record?: InstanceRecord): Promise<unknown[]> {
  const told: unknown[] = [];
  const task = parseTaskEvent(detail(lastStatus, desiredStatus));
  if (task === null) throw new Error("not an event of ours");
  const platform = {
    instancePlaced: async (id: string, where: Endpoint) => void told.push(["placed", id, where]),
    instanceExited: async (exit: InstanceExit) => void told.push(["exited", exit.instanceId]),
  };
  const metrics = { count: (name: string) => void told.push(["counted", name]) };
  await actOnTask({ platform, metrics, instances: { get: () => Promise.resolve(record) } }, task);
  return told;
}

describe("a change of a task", () => {
  it("that runs is a placed instance", async () => {
    expect(await toldOf("RUNNING", "RUNNING")).toEqual([["placed", instanceId, endpoint]]);
  });

  it.each(["PROVISIONING", "PENDING", "ACTIVATING"])(
    "that is %s has an address and nobody who answers there: its create must not fail for that",
    async (lastStatus) => {
      expect(await toldOf(lastStatus, "RUNNING")).toEqual([]);
    },
  );

  it.each(["RUNNING", "DEACTIVATING", "STOPPING", "DEPROVISIONING"])(
    "that is %s on its way out is left alone until it has stopped: its interface still holds what would be taken down",
    async (lastStatus) => {
      expect(await toldOf(lastStatus, "STOPPED")).toEqual([]);
    },
  );

  it("that has stopped is an ended instance", async () => {
    expect(await toldOf("STOPPED", "STOPPED")).toEqual([["exited", instanceId]]);
    expect(await toldOf("STOPPED", "STOPPED", anInstance({ state: "claimed" }))).toEqual([["exited", instanceId]]);
  });

  it("that stopped before it was ever of use is a failed launch", async () => {
    expect(await toldOf("STOPPED", "STOPPED", anInstance({ state: "starting" }))).toEqual([
      ["exited", instanceId],
      ["counted", "LaunchFailures"],
    ]);
  });
});
