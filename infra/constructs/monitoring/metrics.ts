import { Duration } from "aws-cdk-lib";
import { Metric, Stats } from "aws-cdk-lib/aws-cloudwatch";
import { type MetricName, metricDimension, metricNamespace, metricUnits } from "#telemetry/metrics.ts";

/** How often alarms and graphs look. */
export const often = Duration.minutes(5);

/** What the platform says of itself (src/telemetry/metrics.ts). */
export class PlatformMetrics {
  readonly #deployment: string;

  constructor(deployment: string) {
    this.#deployment = deployment;
  }

  /** @param period @default 5 minutes */
  sum(name: MetricName, period = often): Metric {
    return this.#metric(name, Stats.SUM, period);
  }

  /** The greatest of a period; for what stands at a value. */
  most(name: MetricName, period = often): Metric {
    return this.#metric(name, Stats.MAXIMUM, period);
  }

  /** The value that so many per cent stay below; for durations. */
  percentile(name: MetricName, percent: number, period = often): Metric {
    return this.#metric(name, Stats.p(percent), period);
  }

  #metric(name: MetricName, statistic: string, period: Duration): Metric {
    return new Metric({
      namespace: metricNamespace,
      metricName: name,
      dimensionsMap: { [metricDimension]: this.#deployment },
      statistic,
      period,
      label: metricUnits[name] === "Milliseconds" ? `${name} (ms, ${statistic})` : name,
    });
  }
}
