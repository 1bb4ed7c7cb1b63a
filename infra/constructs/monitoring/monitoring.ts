import type { Alarm } from "aws-cdk-lib/aws-cloudwatch";
import type { Topic } from "aws-cdk-lib/aws-sns";
import { Construct } from "constructs";
import { AlarmTopic } from "./alarm-topic.ts";
import { apiWatches, lifeWatches, refusalWatches, signalWatches } from "./control-watches.ts";
import { PlatformDashboard } from "./dashboard.ts";
import { edgeWatches } from "./edge-watches.ts";
import { PlatformMetrics } from "./metrics.ts";
import type { MonitoringSources } from "./sources.ts";
import { addAlarm } from "./watch.ts";

/** Alarms to one topic, each with a section of the runbook, and a dashboard. */
export class Monitoring extends Construct {
  readonly topic: Topic;
  readonly alarms: readonly Alarm[];

  constructor(scope: Construct, id: string, sources: MonitoringSources) {
    super(scope, id);
    const { config, state } = sources;
    const metrics = new PlatformMetrics(config.deployment);
    this.topic = new AlarmTopic(this, "Alarms", { config, key: state.keys.data }).topic;
    const target = { deployment: config.deployment, topic: this.topic };
    this.alarms = [
      ...lifeWatches(sources, metrics),
      ...refusalWatches(metrics),
      ...signalWatches(metrics),
      ...apiWatches(sources),
      ...edgeWatches(sources),
    ].map((watch) => addAlarm(this, watch, target));
    new PlatformDashboard(this, "Dashboard", { ...sources, alarms: this.alarms, metrics });
  }
}
