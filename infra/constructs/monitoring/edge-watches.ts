import { Duration } from "aws-cdk-lib";
import { Metric, Stats, TreatMissingData } from "aws-cdk-lib/aws-cloudwatch";
import { often } from "./metrics.ts";
import type { MonitoringSources } from "./sources.ts";
import type { Watch } from "./watch.ts";

const minute = Duration.minutes(1);

/** The ways in and out, and where files are. */
export function edgeWatches({ config, edge, state }: MonitoringSources): Watch[] {
  const tooFew = { when: "below", periods: 5, silence: TreatMissingData.BREACHING } as const;
  return [
    {
      name: "gateway-unhealthy",
      says: "Fewer gateway tasks are healthy than there should be: sandboxes are hard to reach, or not at all.",
      runbook: "gateway-unhealthy",
      metric: edge.balancer.targets.metrics.healthyHostCount({ period: minute, statistic: Stats.MINIMUM }),
      threshold: config.gatewayTasks,
      ...tooFew,
    },
    {
      name: "proxy-unhealthy",
      says: "Fewer egress proxies run than there should be: sandboxes reach the internet slowly, or not at all.",
      runbook: "proxy-unhealthy",
      // Each running task reports once a minute: the number of reports is the number of tasks (ECS developer guide, "service RUNNING task count").
      metric: edge.services.egressProxy.metricCpuUtilization({
        period: minute,
        statistic: Stats.SAMPLE_COUNT,
        label: "running egress proxies",
      }),
      threshold: config.proxyTasks,
      ...tooFew,
    },
    {
      name: "file-system-load",
      says: "The file system is near its limit of operations: files of sandboxes become slow.",
      runbook: "capacity",
      metric: new Metric({
        namespace: "AWS/EFS",
        metricName: "PercentIOLimit",
        dimensionsMap: { FileSystemId: state.fileSystem.fileSystemId },
        statistic: Stats.AVERAGE,
        period: often,
      }),
      threshold: 90,
      periods: 3,
    },
  ];
}
