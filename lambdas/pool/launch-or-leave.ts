import { BulkheadError } from "#contracts/errors.ts";
import type { Launcher } from "#core/launcher.ts";
import type { Metrics } from "#telemetry/metrics.ts";

/**
 * Launches what a record asks for. Where the account has no room, the record is left to the next look after the pool: the stream would
 * repeat it at once, five times, and then call it a dead letter.
 * @throws what a repeat at once may mend
 */
export async function launchOrLeave(
  launcher: Pick<Launcher, "launch">,
  metrics: Pick<Metrics, "count">,
  instanceId: string,
): Promise<void> {
  try {
    await launcher.launch(instanceId);
  } catch (thrown) {
    metrics.count("LaunchFailures");
    if (!(thrown instanceof BulkheadError) || thrown.code !== "CAPACITY_EXHAUSTED") throw thrown;
  }
}
