import { z } from "zod";
import type { Priced, Rule } from "../line.ts";

const alarmSchema = z.looseObject({
  Metrics: z.array(z.looseObject({ MetricStat: z.unknown().optional() })).optional(),
  Period: z.number().optional(),
});
const metricFilterSchema = z.looseObject({ MetricTransformations: z.array(z.unknown()) });
const policySchema = z.looseObject({ PolicyType: z.string() });
const trailSchema = z.looseObject({
  EventSelectors: z.unknown().optional(),
  AdvancedEventSelectors: z.unknown().optional(),
});

const alarm: Rule = ({ resource, calculator }) => {
  const { Metrics } = alarmSchema.parse(resource.Properties);
  // Metric math is billed by the metrics it reads.
  const metrics = Metrics?.filter(({ MetricStat }) => MetricStat !== undefined).length ?? 1;
  return [calculator.monthly("alarm", Math.max(1, metrics), "metrics", "alarm")];
};

const trail: Rule = ({ resource, calculator }): readonly Priced[] => {
  const { EventSelectors, AdvancedEventSelectors } = trailSchema.parse(resource.Properties);
  if (EventSelectors === undefined && AdvancedEventSelectors === undefined) return [];
  return [calculator.assumed("CloudTrail data events", "trail.events", "trail.data-events")].map((line) => ({
    ...line,
    // Assumed in millions, sold by the 100,000.
    usdPerMonth: line.usdPerMonth * 10,
  }));
};

export const observabilityRules: Readonly<Record<string, Rule>> = {
  alarm,
  trail,
  "composite-alarm": ({ calculator }) => [calculator.monthly("composite alarm", 1, "alarm", "alarm.composite")],
  dashboard: ({ calculator }) => [calculator.monthly("dashboard", 1, "dashboard", "dashboard")],
  "log-group": ({ calculator }) => [
    calculator.assumed("log group, ingestion", "log.gb", "logs.ingest"),
    calculator.assumed("log group, storage", "log.gb", "logs.storage"),
  ],
  "metric-filter": ({ resource, calculator }) => {
    const { MetricTransformations } = metricFilterSchema.parse(resource.Properties);
    return [calculator.monthly("custom metric of a filter", MetricTransformations.length, "metrics", "metric")];
  },
  "scaling-policy": ({ resource, calculator }) => {
    const { PolicyType } = policySchema.parse(resource.Properties);
    // Target tracking makes two alarms of its own, which stand in no template.
    if (PolicyType !== "TargetTrackingScaling") return [];
    return [calculator.monthly("alarms of target tracking", 2, "metrics", "alarm")];
  },
};
