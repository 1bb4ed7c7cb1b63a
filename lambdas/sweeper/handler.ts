import type { DynamoDBStreamEvent, ScheduledEvent } from "aws-lambda";
import { readEnvironment } from "#contracts/environment.ts";
import { makePlatform } from "#core/platform.ts";
import { taskEventsEnvSchema } from "../environment.ts";
import { makeCommon } from "../parts/common.ts";
import { type BatchAnswer, eachChange } from "../parts/each-record.ts";
import { guarded } from "../parts/guarded.ts";
import { platformConfig } from "../parts/platform-config.ts";
import { makePorts, makeStores } from "../parts/ports.ts";
import { makeTeardownPorts } from "../parts/teardown-ports.ts";

const env = readEnvironment(taskEventsEnvSchema, process.env);
const common = makeCommon("sweeper", env);
const { logger, metrics } = common;
const { stores, settle } = makeStores(common, env);
const ports = makePorts(common, stores, makeTeardownPorts(common, env));
const platform = makePlatform(platformConfig(env.BULKHEAD_SETTINGS, env.AWS_REGION), ports);

/** Each minute: deadlines, and records against what exists. From the table's stream: what TTL removed before it was ended. */
export const handler = guarded(logger, async (event: DynamoDBStreamEvent | ScheduledEvent): Promise<BatchAnswer> => {
  if ("Records" in event) {
    return eachChange(event.Records, logger, async (change) => {
      if (change.type === "instance-expired") await platform.endInstance(change.instance.id);
      if (change.type === "sandbox-expired" && change.sandbox.instanceId !== null) {
        await platform.endInstance(change.sandbox.instanceId);
      }
    });
  }
  const report = await platform.sweeper.sweepOnce();
  await settle();
  metrics.count("SweepFailures", report.failures);
  metrics.count("LeakedInstances", report.leaked);
  metrics.count("QuotaRepairs", report.quotaRepairs);
  metrics.gauge("LiveSandboxes", report.live);
  return { batchItemFailures: [] };
});
