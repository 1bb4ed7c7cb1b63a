import type { EventBridgeEvent } from "aws-lambda";
import { parseTaskEvent } from "#aws/compute/task-event.ts";
import { readEnvironment } from "#contracts/environment.ts";
import { makePlatform } from "#core/platform.ts";
import { taskEventsEnvSchema } from "../environment.ts";
import { makeCommon } from "../parts/common.ts";
import { guarded } from "../parts/guarded.ts";
import { platformConfig } from "../parts/platform-config.ts";
import { makePorts, makeStores } from "../parts/ports.ts";
import { makeTeardownPorts } from "../parts/teardown-ports.ts";
import { actOnTask } from "./act.ts";

const env = readEnvironment(taskEventsEnvSchema, process.env);
const common = makeCommon("task-events", env);
const { stores } = makeStores(common, env);
const ports = makePorts(common, stores, makeTeardownPorts(common, env));
const platform = makePlatform(platformConfig(env.BULKHEAD_SETTINGS, env.AWS_REGION), ports);
const deps = { platform, instances: stores.instances, metrics: common.metrics };

/** "ECS Task State Change" of the instances' cluster. Delivered at least once and in any order. */
export const handler = guarded(common.logger, async (event: EventBridgeEvent<string, unknown>): Promise<void> => {
  const task = parseTaskEvent(event.detail, env.BULKHEAD_AGENT_PORT);
  if (task !== null) await actOnTask(deps, task);
});
