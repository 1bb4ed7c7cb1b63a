import type { Logger } from "#telemetry/logger.ts";
import type { CountName, Metrics } from "#telemetry/metrics.ts";
import { rules, runbookOf } from "./rules.ts";
import type { Signal, Signals } from "./signals.ts";

/** What alarms watch; the rest has metrics of its own (RefusedAuth, LeakedInstances, EgressDenied). */
const counted: Partial<Record<Signal["type"], CountName>> = {
  "key.dead_used": "DeadKeyUsed",
  "decoy.used": "DecoyUsed",
  "key.overdue": "KeyOverdue",
  "audit.broken": "AuditBroken",
  "spend.near": "SpendNear",
};

/** Signals as metrics and log lines: a function has no memory that grouping could use, CloudWatch's alarms have. */
export function makeMetricSignals(metrics: Metrics, logger: Logger): Signals {
  return {
    raise(signal) {
      const { type, ...what } = signal;
      const name = counted[type];
      if (name === undefined) return;
      metrics.count(name);
      logger.warn("alert", { rule: type, severity: rules[type].severity, runbook: runbookOf(type), ...what });
    },
  };
}
