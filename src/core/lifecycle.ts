import type { SandboxStatus } from "#contracts/domain.ts";

/** From each status, the ones it may go to (design §5). Ended statuses go nowhere. */
export const transitions: Readonly<Record<SandboxStatus, readonly SandboxStatus[]>> = {
  // Back to `stopped`: a start that came to nothing.
  creating: ["running", "stopped", "failed", "deleting"],
  running: ["paused", "stopped", "deleting"],
  paused: ["running", "stopped", "deleting"],
  stopped: ["creating", "deleting"],
  deleting: ["deleted", "failed"],
  deleted: [],
  failed: [],
};

export function mayGo(from: SandboxStatus, to: SandboxStatus): boolean {
  return transitions[from].includes(to);
}

/** An end that was begun and not finished after this long is begun again. */
export const deletingDeadlineMs = 30_000;

export function isEnded(status: SandboxStatus): boolean {
  return status === "deleted" || status === "failed";
}

/** Ended, or on the only way there is: callers are told that it has ended. */
export function isOver(status: SandboxStatus): boolean {
  return isEnded(status) || status === "deleting";
}
