import { Stack } from "aws-cdk-lib";
import type { Alarm } from "aws-cdk-lib/aws-cloudwatch";
import { AlarmStatusWidget } from "aws-cdk-lib/aws-cloudwatch";
import { DefaultDashboardFactory, MonitoringFacade } from "cdk-monitoring-constructs";
import { Construct } from "constructs";
import type { PlatformMetrics } from "./metrics.ts";
import type { MonitoringSources } from "./sources.ts";

export interface PlatformDashboardProps extends MonitoringSources {
  readonly alarms: readonly Alarm[];
  readonly metrics: PlatformMetrics;
}

/** One page: what rings, what the platform says of itself, and what AWS says of its parts. */
export class PlatformDashboard extends Construct {
  constructor(scope: Construct, id: string, props: PlatformDashboardProps) {
    super(scope, id);
    // Names of dashboards are the account's, whatever the region.
    const dashboardNamePrefix = `${props.config.deployment}-${Stack.of(this).region}`;
    const facade = new MonitoringFacade(this, "Monitoring", {
      alarmFactoryDefaults: { actionsEnabled: false, alarmNamePrefix: props.config.deployment },
      dashboardFactory: new DefaultDashboardFactory(this, "Dashboards", { dashboardNamePrefix }),
    });
    facade.addLargeHeader(props.config.deployment);
    facade.addWidget(new AlarmStatusWidget({ alarms: [...props.alarms], width: 24, height: 4, title: "Alarms" }));
    platformSegments(facade, props);
    controlSegments(facade, props);
    edgeSegments(facade, props);
  }
}

function platformSegments(facade: MonitoringFacade, { metrics }: PlatformDashboardProps): void {
  facade.monitorCustom({
    humanReadableName: "Sandboxes",
    alarmFriendlyName: "sandboxes",
    metricGroups: [
      {
        title: "Live",
        metrics: [metrics.most("LiveSandboxes"), metrics.most("WarmInstances"), metrics.most("CapacityInstances")],
      },
      { title: "Create", metrics: [metrics.percentile("CreateLatency", 50), metrics.percentile("CreateLatency", 99)] },
      {
        title: "Launches",
        metrics: [metrics.sum("LaunchFailures"), metrics.sum("LaunchesTurnedAway"), metrics.sum("PoolExhausted")],
      },
      {
        title: "Sweeps",
        metrics: [metrics.sum("LeakedInstances"), metrics.sum("SweepFailures"), metrics.sum("QuotaRepairs")],
      },
      { title: "Refused", metrics: [metrics.sum("RefusedAuth"), metrics.sum("EgressDenied")] },
      {
        title: "Signals",
        metrics: (["DeadKeyUsed", "DecoyUsed", "KeyOverdue", "AuditBroken", "SpendNear"] as const).map((name) =>
          metrics.sum(name),
        ),
      },
    ],
  });
}

function controlSegments(
  facade: MonitoringFacade,
  { apis, functions, deadLetters, state }: PlatformDashboardProps,
): void {
  facade.addMediumHeader("Control plane");
  facade.monitorApiGateway({ api: apis.key, humanReadableName: "Door for API keys", alarmFriendlyName: "key-door" });
  facade.monitorApiGateway({ api: apis.iam, humanReadableName: "Door for IAM", alarmFriendlyName: "iam-door" });
  for (const name of ["api-read", "api-lifecycle", "pool", "task-events", "sweeper", "bridge"] as const) {
    facade.monitorLambdaFunction({ lambdaFunction: functions[name], humanReadableName: name, alarmFriendlyName: name });
  }
  facade.monitorDynamoTable({ table: state.table, humanReadableName: "Table", alarmFriendlyName: "table" });
  for (const name of ["events", "stream"] as const) {
    facade.monitorSqsQueue({
      queue: deadLetters[name],
      humanReadableName: `Dead letters: ${name}`,
      alarmFriendlyName: `dead-${name}`,
    });
  }
}

function edgeSegments(facade: MonitoringFacade, { edge }: PlatformDashboardProps): void {
  facade.addMediumHeader("Ways in and out");
  facade.monitorFargateApplicationLoadBalancer({
    fargateService: edge.services.gateway,
    applicationLoadBalancer: edge.balancer.balancer,
    applicationTargetGroup: edge.balancer.targets,
    humanReadableName: "Gateway",
    alarmFriendlyName: "gateway",
  });
  facade.monitorSimpleFargateService({
    fargateService: edge.services.egressProxy,
    humanReadableName: "Egress proxy",
    alarmFriendlyName: "egress-proxy",
  });
}
