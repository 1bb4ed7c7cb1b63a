import { z } from "zod";
import { agentExitCodes } from "#contracts/agent-constants.ts";
import { instanceIdSchema } from "#contracts/ids.ts";
import type { Endpoint } from "#core/model.ts";
import type { InstanceExit } from "#core/ports.ts";
import { privateAddress } from "./task.ts";

/** Detail of "ECS Task State Change". Events come at least once and in any order. */
const detailSchema = z.object({
  taskArn: z.string(),
  lastStatus: z.string(),
  desiredStatus: z.string(),
  startedBy: z.string().optional(),
  stopCode: z.string().optional(),
  stoppedReason: z.string().optional(),
  version: z.number().optional(),
  attachments: z
    .array(z.object({ details: z.array(z.object({ name: z.string().optional(), value: z.string().optional() })).optional() }))
    .default([]),
  containers: z
    .array(z.object({ name: z.string(), exitCode: z.number().optional(), reason: z.string().optional() }))
    .default([]),
});
type Detail = z.infer<typeof detailSchema>;

export interface TaskEvent {
  readonly instanceId: string;
  /** Set once the agent's container runs and its address is known. */
  readonly endpoint: Endpoint | null;
  /** Set once the task has stopped, whoever stopped it. */
  readonly exit: InstanceExit | null;
}

/** @returns null for a task that is none of our instances */
export function parseTaskEvent(detail: unknown, agentPort: number): TaskEvent | null {
  const parsed = detailSchema.safeParse(detail);
  const instanceId = instanceIdSchema.safeParse(parsed.data?.startedBy).data;
  if (!parsed.success || instanceId === undefined) return null;
  const task = parsed.data;
  const host = privateAddress(task.attachments);
  const runs = task.lastStatus === "RUNNING" && task.desiredStatus === "RUNNING" && host !== null;
  return {
    instanceId,
    endpoint: runs ? { kind: "tcp", host, port: agentPort } : null,
    exit: task.lastStatus === "STOPPED" ? { instanceId, cause: causeOf(task), message: messageOf(task) } : null,
  };
}

const hostCodes = new Set(["SpotInterruption", "TerminationNotice", "InfrastructureHealth"]);
const killed = 137;

function causeOf(task: Detail): InstanceExit["cause"] {
  if (hostCodes.has(task.stopCode ?? "")) return "host_retired";
  const agent = task.containers.find((container) => container.name === "agent");
  for (const [cause, code] of Object.entries(agentExitCodes)) {
    if (agent?.exitCode === code) return cause as keyof typeof agentExitCodes;
  }
  if (agent?.exitCode === killed && /OutOfMemory/.test(agent.reason ?? task.stoppedReason ?? "")) return "out_of_memory";
  return "task_failed";
}

function messageOf({ stopCode, containers }: Detail): string {
  const agent = containers.find((container) => container.name === "agent");
  const exit = agent?.exitCode === undefined ? "no exit code" : `exit code ${agent.exitCode}`;
  return stopCode === undefined ? exit : `${stopCode}, ${exit}`;
}
