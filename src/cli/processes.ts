import * as z from "zod";
import type { Agent } from "./agent.ts";

/** A process that was started in the background, as far as the command shows it. */
const backgroundSchema = z.looseObject({
  process_id: z.string(),
  name: z.string().nullish(),
  status: z.string(),
  started_at: z.string().nullish(),
  start_time: z.string().nullish(),
  exit_code: z.number().nullish(),
  pid: z.number().nullish(),
  command: z.string().nullish(),
});
export type BackgroundProcess = z.infer<typeof backgroundSchema>;

const listSchema = z.looseObject({ processes: z.array(backgroundSchema) });

const outputSchema = backgroundSchema.extend({
  stdout: z.string().default(""),
  stderr: z.string().default(""),
});
export type BackgroundOutput = z.infer<typeof outputSchema>;

export async function backgroundProcesses(agent: Agent, signal?: AbortSignal): Promise<readonly BackgroundProcess[]> {
  return (await agent.call("GET", "/execute/processes", listSchema, signal && { signal })).processes;
}

/** One process with its output. */
export function backgroundOutput(agent: Agent, id: string, signal: AbortSignal): Promise<BackgroundOutput> {
  return agent.call("GET", `/execute/processes/${encodeURIComponent(id)}`, outputSchema, { signal });
}

export function hasEnded({ status }: BackgroundProcess): boolean {
  return status !== "running" && status !== "queued";
}
