/** Without zod, so that the agent can load it at start. */

/**
 * The control plane's own routes on the agent, under {@link controlPrefix}. The gateway never passes this prefix through,
 * so only the bridge reaches them. Bodies are JSON.
 */
export const controlPrefix = "/_bulkhead/";

/** Exit codes by which an agent says why it ended its own instance. Any other exit is `task_failed` or `out_of_memory`. */
export const agentExitCodes = { timeout: 80, idle: 81, lifetime: 82, disk_full: 83 } as const;

/** Why an agent ended with an exit code; undefined when the code does not say. */
export function causeOfExitCode(code: number | null | undefined): keyof typeof agentExitCodes | undefined {
  if (code === agentExitCodes.timeout) return "timeout";
  if (code === agentExitCodes.idle) return "idle";
  if (code === agentExitCodes.lifetime) return "lifetime";
  return code === agentExitCodes.disk_full ? "disk_full" : undefined;
}

/** Header by which the gateway asks the agent to pass a request to a port of the sandbox's own loopback. */
export const portHeader = "x-bulkhead-port";
