import { Alarm, ComparisonOperator, type IMetric, TreatMissingData } from "aws-cdk-lib/aws-cloudwatch";
import { SnsAction } from "aws-cdk-lib/aws-cloudwatch-actions";
import type { ITopic } from "aws-cdk-lib/aws-sns";
import type { Construct } from "constructs";

/** One thing that somebody should hear of. */
export interface Watch {
  readonly name: string;
  /** What is wrong when it rings, in a sentence. */
  readonly says: string;
  /** Section of the runbook. */
  readonly runbook: Runbook | AlertRunbook;
  readonly metric: IMetric;
  readonly threshold: number;
  /** @default at or above the threshold */
  readonly when?: "atLeast" | "above" | "below";
  /** Periods in a row. @default 1 */
  readonly periods?: number;
  /** What it means when nothing is reported. @default that all is well */
  readonly silence?: TreatMissingData;
}

/** Sections of docs/aws-operations.md. */
export type Runbook =
  | "leaked-instances"
  | "refused-auth"
  | "egress-denials"
  | "sweeper-failures"
  | "pool-exhausted"
  | "launch-failures"
  | "key-age"
  | "api-errors"
  | "api-latency"
  | "dead-letters"
  | "gateway-unhealthy"
  | "proxy-unhealthy"
  | "capacity"
  | "quotas-to-raise";

/** Sections of docs/runbooks.md, which the same alerts have on one machine. */
export type AlertRunbook = "key-dead-used" | "decoy-used" | "key-overdue";

const alertRunbooks: ReadonlySet<string> = new Set<AlertRunbook>(["key-dead-used", "decoy-used", "key-overdue"]);

const pageOf = (runbook: Runbook | AlertRunbook) =>
  alertRunbooks.has(runbook) ? "docs/runbooks.md" : "docs/aws-operations.md";

const operators = {
  atLeast: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
  above: ComparisonOperator.GREATER_THAN_THRESHOLD,
  below: ComparisonOperator.LESS_THAN_THRESHOLD,
} as const;

/** An alarm that tells the topic when it begins and when it is over. */
export function addAlarm(scope: Construct, watch: Watch, target: { deployment: string; topic: ITopic }): Alarm {
  const alarm = new Alarm(scope, watch.name, {
    alarmName: `${target.deployment}-${watch.name}`,
    alarmDescription: `${watch.says} Runbook: ${pageOf(watch.runbook)}#${watch.runbook}`,
    metric: watch.metric,
    threshold: watch.threshold,
    comparisonOperator: operators[watch.when ?? "atLeast"],
    evaluationPeriods: watch.periods ?? 1,
    treatMissingData: watch.silence ?? TreatMissingData.NOT_BREACHING,
  });
  const action = new SnsAction(target.topic);
  alarm.addAlarmAction(action);
  alarm.addOkAction(action);
  return alarm;
}
