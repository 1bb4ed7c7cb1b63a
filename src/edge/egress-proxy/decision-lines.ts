import { toRfc3339 } from "#contracts/time.ts";
import type { DecisionLog } from "#egress/ports.ts";
import type { Metrics } from "#telemetry/metrics.ts";

/** One line of JSON per connection or refusal, to a log group of its own kind of lines; refusals are counted as well. */
export function makeDecisionLines(write: (line: string) => void, metrics: Pick<Metrics, "count">): DecisionLog {
  return {
    record(decision) {
      const { at, ...rest } = decision;
      write(JSON.stringify({ type: "egress", at: toRfc3339(at), ...rest }));
      if (decision.decision === "deny") metrics.count("EgressDenied");
    },
  };
}
