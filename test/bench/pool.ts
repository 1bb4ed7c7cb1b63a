import { familyOf } from "#test/e2e/support/host.ts";
import type { RunningPlatform } from "#test/e2e/support/platform.ts";
import { until } from "#test/e2e/support/until.ts";

/** Processes of the platform's instances: its family without the command, the platform and its other workers. */
export function instanceProcesses(platform: RunningPlatform) {
  return familyOf(platform.platformPid).filter(({ command }) => /agent\.cjs|bwrap/.test(command));
}

/** Waits until the warm pool is filled: at least `atLeast` agents, and their number still for a second. Answers with their number of processes. */
export async function poolSettled(platform: RunningPlatform, atLeast: number): Promise<number> {
  let last = -1;
  let still = 0;
  return until(
    `settled pool of ${atLeast}`,
    () => {
      const count = instanceProcesses(platform).length;
      still = count === last ? still + 1 : 0;
      last = count;
      return count >= atLeast && still >= 10 ? count : undefined;
    },
    { timeoutMs: 90_000, everyMs: 100 },
  );
}

/** Waits until the pool has as many processes as `settled`, after a sandbox was taken from it and killed. */
export async function refilled(platform: RunningPlatform, settled: number): Promise<void> {
  await until("refilled pool", () => instanceProcesses(platform).length === settled, {
    timeoutMs: 10_000,
    everyMs: 20,
  });
}
