/** Every metric of the platform with its unit: alarms and the dashboard are built on these names. */
export const metricUnits = {
  /** Requests refused for a missing, wrong, expired or revoked key or token. */
  RefusedAuth: "Count",
  /** Revoked or expired API keys that were shown. */
  DeadKeyUsed: "Count",
  /** Decoy keys of sandboxes that were shown. */
  DecoyUsed: "Count",
  /** API keys in use that should have been replaced. */
  KeyOverdue: "Count",
  /** Places where an audit record was found not to hold together. */
  AuditBroken: "Count",
  /** Projects that were found near their spend cap. */
  SpendNear: "Count",
  /** Connections of sandboxes that the egress proxy refused. */
  EgressDenied: "Count",
  /** Records or objects that a sweep could not deal with. */
  SweepFailures: "Count",
  /** Things without a record, or with one that had ended, that a sweep had to end. */
  LeakedInstances: "Count",
  /** Warm instances that the pool lacks and could not launch. */
  PoolExhausted: "Count",
  WarmInstances: "Count",
  LaunchFailures: "Count",
  /** Launches turned away because the line was too long. */
  LaunchesTurnedAway: "Count",
  /** Age of the oldest API key that is still valid. */
  OldestKeyAgeDays: "Count",
  /** From a create's request to its answer. */
  CreateLatency: "Milliseconds",
  /** Instances that the account's quotas have room for. */
  CapacityInstances: "Count",
  LiveSandboxes: "Count",
  /** Quota counters that a sweep found wrong and set right. */
  QuotaRepairs: "Count",
} as const satisfies Record<string, "Count" | "Milliseconds">;

export type MetricName = keyof typeof metricUnits;
type Of<Unit extends string> = {
  [Name in MetricName]: (typeof metricUnits)[Name] extends Unit ? Name : never;
}[MetricName];
export type CountName = Of<"Count">;
export type DurationName = Of<"Milliseconds">;

/** Numbers that alarms watch. Writing one never fails and never waits. */
export interface Metrics {
  /** Something happened `value` times. @default once. Zero is written as well: an alarm must tell quiet from dead. */
  count(name: CountName, value?: number): void;
  /** Something stands at `value` now. */
  gauge(name: CountName, value: number): void;
  duration(name: DurationName, milliseconds: number): void;
}

/** CloudWatch namespace and the one dimension of every metric. */
export const metricNamespace = "Bulkhead";
export const metricDimension = "Deployment";

export interface EmfOptions {
  readonly deployment: string;
  /** Takes one line without its line end. */
  readonly write: (line: string) => void;
  /** Epoch milliseconds. */
  readonly now: () => number;
}

/** Metrics as log lines in CloudWatch's embedded metric format: no call, no permission, no latency. */
export function makeEmfMetrics({ deployment, write, now }: EmfOptions): Metrics {
  const put = (name: MetricName, value: number): void => {
    // CloudWatch drops the whole line for a value that is no number.
    if (!Number.isFinite(value)) return;
    const metric = {
      Namespace: metricNamespace,
      Dimensions: [[metricDimension]],
      Metrics: [{ Name: name, Unit: metricUnits[name] }],
    };
    const envelope = { Timestamp: now(), CloudWatchMetrics: [metric] };
    write(JSON.stringify({ _aws: envelope, [metricDimension]: deployment, [name]: value }));
  };
  return { count: (name, value = 1) => put(name, value), gauge: put, duration: put };
}
