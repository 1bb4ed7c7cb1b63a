import type { SandboxStatus } from "#contracts/domain.ts";

/** From each status, the ones it may go to (design §5). Ended statuses go nowhere. */
export const transitions: Readonly<Record<SandboxStatus, readonly SandboxStatus[]>> = {
  creating: ["running", "failed", "deleting"],
  running: ["paused", "stopped", "deleting"],
  paused: ["running", "deleting"],
  stopped: ["running", "deleting"],
  deleting: ["deleted", "failed"],
  deleted: [],
  failed: [],
};

export function mayGo(from: SandboxStatus, to: SandboxStatus): boolean {
  return transitions[from].includes(to);
}

/** Milliseconds a status may last before it is forced out; null for statuses that rest. */
export const statusDeadlineMs: Readonly<Record<SandboxStatus, number | null>> = {
  creating: 120_000,
  running: null,
  paused: null,
  stopped: null,
  deleting: 30_000,
  deleted: null,
  failed: null,
};

export function isEnded(status: SandboxStatus): boolean {
  return status === "deleted" || status === "failed";
}

/** Ended, or on the only way there is: callers are told that it has ended. */
export function isOver(status: SandboxStatus): boolean {
  return isEnded(status) || status === "deleting";
}
