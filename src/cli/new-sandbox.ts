import type { CreateSandboxRequest } from "#contracts/control/sandboxes.ts";
import { type Agent, agentOf } from "./agent.ts";
import type { ControlPlane } from "./control-plane.ts";
import { messageOf } from "./failure.ts";
import type { CreateFlags } from "./options.ts";
import type { Output } from "./output.ts";
import { secretsOf } from "./secrets/options.ts";

export interface NewSandboxOptions {
  readonly controlPlane: ControlPlane;
  readonly request: CreateSandboxRequest;
  /** Leave it when the work is done. */
  readonly keep: boolean;
  readonly output: Output;
  readonly signal?: AbortSignal;
}

/** @throws CliError for flags that contradict each other */
export function createRequest(flags: CreateFlags, more: Partial<CreateSandboxRequest> = {}): CreateSandboxRequest {
  return { template_name: flags.template, internet_access: flags.internet, ...secretsOf(flags), ...more };
}

/** Does `work` in a sandbox of its own, which is killed afterwards, however `work` ended. */
export async function inNewSandbox<T>(options: NewSandboxOptions, work: (agent: Agent) => Promise<T>): Promise<T> {
  const { controlPlane, request, keep, output, signal } = options;
  const sandbox = await controlPlane.create(request, signal);
  const { id } = sandbox;
  if (keep) output.err(`bulkhead: sandbox ${id} is kept; "bulkhead kill ${id}" ends it`);
  try {
    return await work(agentOf(sandbox));
  } finally {
    if (!keep) await kill(controlPlane, id, output);
  }
}

/** What the work ended with counts more than a failure to clean up, which is told. */
async function kill(controlPlane: ControlPlane, id: string, output: Output): Promise<void> {
  try {
    await controlPlane.kill(id);
  } catch (error) {
    output.err(`bulkhead: sandbox ${id} could not be killed: ${messageOf(error)} Run "bulkhead kill ${id}".`);
  }
}
