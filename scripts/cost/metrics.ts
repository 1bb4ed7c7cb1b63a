import { metricUnits } from "#telemetry/metrics.ts";

/** How many custom metrics a deployment writes: each name once, for it has one dimension with one value. */
export const customMetrics = Object.keys(metricUnits).length;
