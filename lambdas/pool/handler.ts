import type { DynamoDBStreamEvent, ScheduledEvent } from "aws-lambda";
import { makeDocumentClient } from "#aws/clients.ts";
import { makeFargateCompute } from "#aws/compute/fargate-compute.ts";
import { publishedCertificate } from "#aws/egress-authority.ts";
import { readEnvironment } from "#contracts/environment.ts";
import { makePlatform } from "#core/platform.ts";
import { poolEnvSchema } from "../environment.ts";
import { makeAdmission } from "../parts/admission.ts";
import { makeCapacityKeeper } from "../parts/capacity.ts";
import { makeCommon } from "../parts/common.ts";
import { type BatchAnswer, eachChange } from "../parts/each-record.ts";
import { guarded } from "../parts/guarded.ts";
import { platformConfig } from "../parts/platform-config.ts";
import { makePorts, makeStores } from "../parts/ports.ts";
import { launchOrLeave } from "./launch-or-leave.ts";

const env = readEnvironment(poolEnvSchema, process.env);
const common = makeCommon("pool", env);
const { clock, logger, metrics } = common;
const { stores } = makeStores(common, env);
const table = { client: makeDocumentClient(env.AWS_REGION), table: env.BULKHEAD_TABLE, clock, logger };
const compute = makeFargateCompute({
  settings: env.BULKHEAD_LAUNCH,
  region: env.AWS_REGION,
  clock,
  logger,
  egressCa: () => publishedCertificate(table),
});
const admission = makeAdmission(common, env);
const keepCapacity = makeCapacityKeeper(common, env, stores.templates);
const { launcher } = makePlatform(
  platformConfig(env.BULKHEAD_SETTINGS, env.AWS_REGION),
  makePorts(common, stores, { compute, admission }),
);

/** The one function that launches: what the table's stream asks for, and each minute whatever the pool lacks. */
export const handler = guarded(logger, async (event: DynamoDBStreamEvent | ScheduledEvent): Promise<BatchAnswer> => {
  if ("Records" in event) {
    return eachChange(event.Records, logger, async (change) => {
      if (change.type === "wanted") await launchOrLeave(launcher, metrics, change.instance.id);
      if (change.type === "claimed") await launcher.replace(change.instance);
    });
  }
  const report = await launcher.keep();
  metrics.gauge(
    "WarmInstances",
    Object.values(report.warm).reduce((sum, count) => sum + count, 0),
  );
  metrics.count("PoolExhausted", report.missing);
  metrics.count("LaunchFailures", report.failures);
  metrics.gauge("CapacityInstances", (await keepCapacity()).instances);
  return { batchItemFailures: [] };
});
