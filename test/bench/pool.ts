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

/**
 * Waits until the pool has as many processes as `settled` and has had them for half a second, after a sandbox was taken from it and
 * killed: an instance that is still starting is no filled pool, and its start would be measured with the next create.
 */
export async function refilled(platform: RunningPlatform, settled: number): Promise<void> {
  let since = Number.POSITIVE_INFINITY;
  const check = () => {
    const now = performance.now();
    if (instanceProcesses(platform).length !== settled) since = Number.POSITIVE_INFINITY;
    else if (since === Number.POSITIVE_INFINITY) since = now;
    return now - since >= 500;
  };
  await until("refilled pool", check, { timeoutMs: 10_000, everyMs: 50 });
}
