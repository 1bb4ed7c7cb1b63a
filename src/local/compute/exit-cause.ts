import { causeOfExitCode } from "#contracts/agent-constants.ts";
import type { InstanceExit } from "#core/ports.ts";
import type { JailExit } from "./jail.ts";

/** Why an instance ended by itself. Bubblewrap passes the agent's exit code on; 137 is SIGKILL inside. */
export function exitOf(instanceId: string, exit: JailExit, oomKills: number): InstanceExit {
  const how = exit.signal === null ? `exit code ${exit.code ?? "unknown"}` : `signal ${exit.signal}`;
  const own = causeOfExitCode(exit.code);
  if (own !== undefined) return { instanceId, cause: own, message: `agent ended by ${own}` };
  const killed = exit.code === 137 || exit.signal === "SIGKILL";
  // 134: node aborts when its own heap cannot grow.
  if (oomKills > 0 && (killed || exit.code === 134)) {
    return { instanceId, cause: "out_of_memory", message: `memory limit reached (${how})` };
  }
  return { instanceId, cause: "task_failed", message: `agent ended with ${how}` };
}
