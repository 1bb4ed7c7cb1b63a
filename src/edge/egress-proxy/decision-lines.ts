import { toRfc3339 } from "#contracts/time.ts";
import { recordedAt } from "#core/network/egress-row.ts";
import type { Journal } from "#egress/record/journal.ts";
import type { Metrics } from "#telemetry/metrics.ts";

/**
 * One line of JSON per row, to a log group that outlives the container; refusals are counted as well. The log is no journal to recover
 * from: what a proxy that died had open is told by its silence.
 */
export function makeLineJournal(write: (line: string) => void, metrics: Pick<Metrics, "count">): Journal {
  let number = 0;
  return {
    write(row) {
      number += 1;
      write(JSON.stringify({ type: "egress", at: toRfc3339(recordedAt(row)), ...row }));
      if (row.decision === "deny") metrics.count("EgressDenied");
      return number;
    },
    shipped() {},
    close() {},
  };
}
