import { Duration } from "aws-cdk-lib";
import { MathExpression, Metric, Stats, TreatMissingData } from "aws-cdk-lib/aws-cloudwatch";
import { often, type PlatformMetrics } from "./metrics.ts";
import type { MonitoringSources } from "./sources.ts";
import type { Watch } from "./watch.ts";

/** Life of instances and keys, by the platform's own metrics. */
export function lifeWatches({ config }: MonitoringSources, metrics: PlatformMetrics): Watch[] {
  const hour = Duration.hours(1);
  return [
    {
      name: "leaked-instances",
      says: "Sweeps end more instances without a living record than deaths of a function between two calls explain.",
      runbook: "leaked-instances",
      metric: metrics.sum("LeakedInstances", hour),
      threshold: 5,
    },
    {
      name: "sweeper-failures",
      says: "Sweeps fail, or there are none.",
      runbook: "sweeper-failures",
      metric: metrics.sum("SweepFailures"),
      threshold: 1,
      periods: 3,
      // Written at each sweep, also as zero.
      silence: TreatMissingData.BREACHING,
    },
    {
      name: "launch-failures",
      says: "Instances cannot be launched.",
      runbook: "launch-failures",
      metric: metrics.sum("LaunchFailures"),
      threshold: 3,
    },
    {
      name: "capacity",
      says: "Live sandboxes fill more than 80 % of what the account's quotas allow.",
      runbook: "capacity",
      metric: new MathExpression({
        expression: "100 * live / IF(capacity > 0, capacity, 1)",
        usingMetrics: { live: metrics.most("LiveSandboxes"), capacity: metrics.most("CapacityInstances") },
        period: often,
        label: "capacity in use (%)",
      }),
      threshold: 80,
      when: "above",
      periods: 3,
    },
    {
      name: "key-age",
      says: "An API key that still opens is older than 90 days.",
      runbook: "key-age",
      metric: metrics.most("OldestKeyAgeDays", Duration.days(1)),
      threshold: 90,
      when: "above",
      silence: TreatMissingData.IGNORE,
    },
    ...(Object.values(config.pool).some((size) => size > 0) ? poolWatches(metrics) : []),
  ];
}

/** Without a pool every create is a cold one, and that is meant. */
function poolWatches(metrics: PlatformMetrics): Watch[] {
  return [
    {
      name: "pool-exhausted",
      says: "The pool lacks warm instances and cannot launch them: creates take 20 to 60 s.",
      runbook: "pool-exhausted",
      metric: metrics.sum("PoolExhausted"),
      threshold: 1,
      periods: 3,
    },
    {
      name: "create-latency",
      says: "One create in ten takes longer than 2 s.",
      runbook: "api-latency",
      metric: metrics.percentile("CreateLatency", 90),
      threshold: 2000,
      when: "above",
      periods: 3,
    },
  ];
}

/** Who is turned away. */
export function refusalWatches(metrics: PlatformMetrics): Watch[] {
  return [
    {
      name: "refused-auth",
      says: "A burst of requests with missing, wrong, expired or revoked keys or tokens.",
      runbook: "refused-auth",
      metric: metrics.sum("RefusedAuth"),
      threshold: 100,
    },
    {
      name: "egress-denials",
      says: "The egress proxy refuses a burst of connections of sandboxes.",
      runbook: "egress-denials",
      metric: metrics.sum("EgressDenied"),
      threshold: 100,
    },
  ];
}

/** What the platform itself raises: each is worth a look when it happens once. */
export function signalWatches(metrics: PlatformMetrics): Watch[] {
  return [
    {
      name: "key-dead-used",
      says: "Somebody shows a revoked or expired API key.",
      runbook: "key-dead-used",
      metric: metrics.sum("DeadKeyUsed"),
      threshold: 1,
    },
    {
      name: "decoy-used",
      says: "Somebody shows the decoy key of a sandbox: code in it was read by who should not. Critical.",
      runbook: "decoy-used",
      metric: metrics.sum("DecoyUsed"),
      threshold: 1,
    },
    {
      name: "key-overdue",
      says: "An API key in use is past its rotation date.",
      runbook: "key-overdue",
      metric: metrics.sum("KeyOverdue"),
      threshold: 1,
    },
  ];
}

/** The two doors and what is behind them. */
export function apiWatches({ apis, functions, deadLetters }: MonitoringSources): Watch[] {
  const visible = { period: often, statistic: Stats.MAXIMUM };
  return [
    {
      name: "api-errors",
      says: "The APIs answer with 5xx.",
      runbook: "api-errors",
      metric: new MathExpression({
        expression: "key + iam",
        usingMetrics: {
          key: apis.key.metricServerError({ period: often, statistic: Stats.SUM }),
          iam: apis.iam.metricServerError({ period: often, statistic: Stats.SUM }),
        },
        period: often,
        label: "5xx of both doors",
      }),
      threshold: 10,
      periods: 2,
    },
    {
      name: "api-latency",
      // Creates wait for instances by design and have a function of their own.
      says: "One read in twenty takes the function longer than 2 s.",
      runbook: "api-latency",
      metric: functions["api-read"].metricDuration({ period: often, statistic: Stats.p(95) }),
      threshold: 2000,
      when: "above",
      periods: 3,
    },
    {
      name: "throttled-functions",
      says: "Lambda turns calls away: the account's concurrency is used up, by this platform or another program.",
      runbook: "quotas-to-raise",
      metric: new Metric({
        namespace: "AWS/Lambda",
        metricName: "Throttles",
        statistic: Stats.SUM,
        period: often,
        label: "throttles of the whole account and region",
      }),
      threshold: 20,
      periods: 2,
    },
    {
      name: "dead-letters",
      says: "Events that nobody could deal with.",
      runbook: "dead-letters",
      metric: new MathExpression({
        expression: "events + stream",
        usingMetrics: {
          events: deadLetters.events.metricApproximateNumberOfMessagesVisible(visible),
          stream: deadLetters.stream.metricApproximateNumberOfMessagesVisible(visible),
        },
        period: often,
        label: "messages in dead-letter queues",
      }),
      threshold: 1,
    },
  ];
}
