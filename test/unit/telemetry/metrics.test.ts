import { expect, it } from "vitest";
import { makeEmfMetrics } from "#telemetry/metrics.ts";

function record() {
  const lines: string[] = [];
  const metrics = makeEmfMetrics({
    deployment: "dev",
    write: (line) => lines.push(line),
    now: () => 1_800_000_000_000,
  });
  return { metrics, lines };
}

it("writes each number as one line of the embedded metric format", () => {
  const { metrics, lines } = record();
  metrics.count("RefusedAuth");
  metrics.count("SweepFailures", 0);
  metrics.gauge("WarmInstances", 3);
  metrics.duration("CreateLatency", 87.5);
  expect(lines.map((line): unknown => JSON.parse(line))).toEqual(
    [
      ["RefusedAuth", "Count", 1],
      ["SweepFailures", "Count", 0],
      ["WarmInstances", "Count", 3],
      ["CreateLatency", "Milliseconds", 87.5],
    ].map(([name, unit, value]) => ({
      _aws: {
        Timestamp: 1_800_000_000_000,
        CloudWatchMetrics: [
          { Namespace: "Bulkhead", Dimensions: [["Deployment"]], Metrics: [{ Name: name, Unit: unit }] },
        ],
      },
      Deployment: "dev",
      [String(name)]: value,
    })),
  );
  expect(lines.some((line) => line.includes("\n"))).toBe(false);
});

it("writes nothing for what is no number: CloudWatch would drop the line", () => {
  const { metrics, lines } = record();
  metrics.gauge("CapacityInstances", Number.NaN);
  metrics.gauge("CapacityInstances", Number.POSITIVE_INFINITY);
  expect(lines).toEqual([]);
});
