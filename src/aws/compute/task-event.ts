import * as z from "zod";
import { causeOfExitCode } from "#contracts/agent-constants.ts";
import { instanceIdSchema } from "#contracts/ids.ts";
import type { Endpoint } from "#core/model.ts";
import type { InstanceExit } from "#core/ports.ts";
import { privateAddress } from "./task.ts";

/** Detail of EventBridge's "ECS Task State Change". Events come at least once and in any order. */
const detailSchema = z.object({
  lastStatus: z.string(),
  desiredStatus: z.string(),
  startedBy: z.string().optional(),
  /** Grows with each change of the task: tells which of two events is the newer. */
  version: z.number().default(0),
  stopCode: z.string().optional(),
  stoppedReason: z.string().optional(),
  attachments: z
    .array(
      z.object({
        details: z.array(z.object({ name: z.string().optional(), value: z.string().optional() })).optional(),
      }),
    )
    .default([]),
  containers: z
    .array(z.object({ name: z.string(), exitCode: z.number().optional(), reason: z.string().optional() }))
    .default([]),
});
type Detail = z.infer<typeof detailSchema>;

export interface TaskEvent {
  readonly instanceId: string;
  readonly version: number;
  readonly lastStatus: string;
  readonly desiredStatus: string;
  /** Runs and is meant to. */
  readonly running: boolean;
  readonly stopped: boolean;
  /** Known before the task runs. */
  readonly endpoint: Endpoint | null;
  /** Set once the task has stopped, whoever stopped it. */
  readonly exit: InstanceExit | null;
}

/** @returns null for a task that is none of our instances */
export function parseTaskEvent(detail: unknown, agentPort = 7777): TaskEvent | null {
  const task = detailSchema.safeParse(detail).data;
  const instanceId = instanceIdSchema.safeParse(task?.startedBy).data;
  if (task === undefined || instanceId === undefined) return null;
  const { version, lastStatus, desiredStatus } = task;
  const host = privateAddress(task.attachments);
  const stopped = lastStatus === "STOPPED";
  return {
    instanceId,
    version,
    lastStatus,
    desiredStatus,
    running: lastStatus === "RUNNING" && desiredStatus === "RUNNING",
    stopped,
    endpoint: host === null ? null : { kind: "tcp", host, port: agentPort },
    exit: stopped ? exitOf(instanceId, task) : null,
  };
}

type Cause = InstanceExit["cause"];

/** Every code that ECS has (aws-facts §1.6); null: the agent's own exit says more. */
const causeOfStopCode: Readonly<Record<string, Cause | null>> = {
  EssentialContainerExited: null,
  SpotInterruption: "host_retired",
  TerminationNotice: "host_retired",
  InfrastructureHealth: "host_retired",
  TaskFailedToStart: "task_failed",
  // By us, and then nobody asks why, or by an operator.
  UserInitiated: "task_failed",
  ServiceSchedulerInitiated: "task_failed",
};

function exitOf(instanceId: string, task: Detail): InstanceExit {
  const agent = task.containers.find((container) => container.name === "agent");
  const exitCode = agent?.exitCode;
  const how = exitCode === undefined ? "no exit code" : `exit code ${exitCode}`;
  const message = task.stopCode === undefined ? how : `${task.stopCode}, ${how}`;
  // First: whoever stopped the task afterwards, the agent had ended it.
  const own = causeOfExitCode(exitCode);
  if (own !== undefined) return { instanceId, cause: own, message };
  const provider = causeOfStopCode[task.stopCode ?? ""] ?? null;
  if (provider !== null) return { instanceId, cause: provider, message };
  const reasons = `${agent?.reason ?? ""} ${task.stoppedReason ?? ""}`;
  return { instanceId, cause: reasons.includes("OutOfMemory") ? "out_of_memory" : "task_failed", message };
}
