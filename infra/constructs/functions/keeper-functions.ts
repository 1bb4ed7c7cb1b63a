import { Duration } from "aws-cdk-lib";
import type { Construct } from "constructs";
import {
  bootstrapEnvSchema,
  chainerEnvSchema,
  poolEnvSchema,
  taskEventsEnvSchema,
} from "../../../lambdas/environment.ts";
import { invokeRights } from "./function-role.ts";
import type { FunctionsProps } from "./functions.ts";
import { launchRights, teardownRights } from "./instance-rights.ts";
import { authorityRights, deadLetterRights, evidenceRights, fillSecretRights, openRights } from "./key-rights.ts";
import { functionNameOf, PlatformFunction } from "./platform-function.ts";
import { settingsJson } from "./settings.ts";
import { streamRights, type TableUse, tableRights } from "./table-rights.ts";

/** The functions that nobody calls: events, the clock and deployments start them. */
export function keeperFunctions(scope: Construct, props: FunctionsProps) {
  return {
    "task-events": taskEvents(scope, props),
    sweeper: sweeper(scope, props),
    pool: pool(scope, props),
    bootstrap: bootstrap(scope, props),
    chainer: chainer(scope, props),
  };
}

/** What each of them is given. */
function commonOf(scope: Construct, props: FunctionsProps) {
  const { config, state, tracing } = props;
  const { settings, teardown, launch } = settingsJson(scope, props);
  return {
    props: { config, logKey: state.keys.data, tracing: tracing ?? false },
    env: {
      BULKHEAD_DEPLOYMENT: config.deployment,
      BULKHEAD_TABLE: state.table.tableName,
      BULKHEAD_SETTINGS: settings,
    },
    agents: {
      BULKHEAD_BRIDGE: functionNameOf(config, "bridge"),
      BULKHEAD_JANITOR: functionNameOf(config, "janitor"),
      BULKHEAD_DATA_KEY: state.keys.data.keyArn,
      BULKHEAD_TEARDOWN: teardown,
    },
    launch,
  };
}

/** What ends sandboxes and instances reads and writes of them. */
const ending = {
  read: ["sandboxes", "instances", "templates", "quotas"],
  write: ["sandboxes", "instances", "quotas", "audit"],
  remove: ["instances"],
  batch: ["audit"],
} as const satisfies TableUse;

function taskEvents(scope: Construct, props: FunctionsProps) {
  const { config, state, place, deadLetters } = props;
  const { keys, table } = state;
  const common = commonOf(scope, props);
  return new PlatformFunction(scope, "TaskEvents", {
    ...common.props,
    name: "task-events",
    description: "Follows the tasks of instances: gives placed ones to their sandboxes, takes ended ones down",
    schema: taskEventsEnvSchema,
    environment: { ...common.env, ...common.agents },
    rights: [
      // Decoys of sandboxes are keys that open nothing.
      ...tableRights(table, keys.data, { ...ending, append: ["keys"] }),
      ...openRights(keys.data),
      ...teardownRights(place),
      ...invokeRights(scope, [functionNameOf(config, "bridge"), functionNameOf(config, "janitor")]),
      ...deadLetterRights(keys.data, deadLetters.events),
    ],
    // Waits for an agent to answer, and for a network interface to be gone.
    timeout: Duration.minutes(3),
    deadLetters: deadLetters.events,
  });
}

function sweeper(scope: Construct, props: FunctionsProps) {
  const { config, state, place, deadLetters } = props;
  const { keys, table } = state;
  const common = commonOf(scope, props);
  return new PlatformFunction(scope, "Sweeper", {
    ...common.props,
    name: "sweeper",
    description: "Ends what is overdue and makes table and provider agree, each minute",
    schema: taskEventsEnvSchema,
    environment: { ...common.env, ...common.agents },
    rights: [
      ...tableRights(table, keys.data, { ...ending, list: ["allSandboxes", "allInstances"] }),
      ...streamRights(table),
      ...openRights(keys.data),
      ...teardownRights(place),
      ...invokeRights(scope, [functionNameOf(config, "bridge"), functionNameOf(config, "janitor")]),
      ...deadLetterRights(keys.data, deadLetters.stream),
      ...deadLetterRights(keys.data, deadLetters.events),
    ],
    timeout: Duration.minutes(5),
    deadLetters: deadLetters.events,
  });
}

function pool(scope: Construct, props: FunctionsProps) {
  const { state, place, deadLetters } = props;
  const { keys, table } = state;
  const common = commonOf(scope, props);
  return new PlatformFunction(scope, "Pool", {
    ...common.props,
    name: "pool",
    description: "Launches instances: the only function that may",
    schema: poolEnvSchema,
    environment: { ...common.env, BULKHEAD_LAUNCH: common.launch },
    rights: [
      ...tableRights(table, keys.data, {
        ...ending,
        read: [...ending.read, "admission", "capacity", "config"],
        write: [...ending.write, "admission", "capacity"],
        list: ["warm", "allInstances"],
      }),
      ...streamRights(table),
      ...launchRights(place),
      // A launch that fails half way takes back what it made.
      ...teardownRights(place),
      ...deadLetterRights(keys.data, deadLetters.stream),
      ...deadLetterRights(keys.data, deadLetters.events),
    ],
    timeout: Duration.minutes(5),
    deadLetters: deadLetters.events,
  });
}

/** Alone extends the chain. It takes events out of the inbox with the same write that gives them their places. */
function chainer(scope: Construct, props: FunctionsProps) {
  const { state, deadLetters } = props;
  const { keys, table } = state;
  const common = commonOf(scope, props);
  return new PlatformFunction(scope, "Chainer", {
    ...common.props,
    name: "chainer",
    description: "Chains audit events and signs where the chains stand, each minute",
    schema: chainerEnvSchema,
    environment: { ...common.env, BULKHEAD_AUDIT_KEY: keys.evidence.keyArn },
    rights: [
      ...tableRights(table, keys.data, {
        read: ["audit", "auditChain", "auditHeads", "auditCheckpoints"],
        append: ["auditChain", "auditCheckpoints"],
        write: ["auditHeads"],
        remove: ["audit"],
      }),
      ...evidenceRights(keys.evidence),
      ...deadLetterRights(keys.data, deadLetters.events),
    ],
    timeout: Duration.seconds(58),
    memoryMiB: 256,
    deadLetters: deadLetters.events,
  });
}

function bootstrap(scope: Construct, props: FunctionsProps) {
  const { config, state, deadLetters } = props;
  const { keys, table, firstKeySecret } = state;
  const common = commonOf(scope, props);
  return new PlatformFunction(scope, "Bootstrap", {
    ...common.props,
    name: "bootstrap",
    description: "Templates, the egress CA and a first API key that works, at each deploy and each day",
    schema: bootstrapEnvSchema,
    environment: {
      ...common.env,
      BULKHEAD_FIRST_KEY_SECRET: firstKeySecret.secretArn,
      BULKHEAD_DATA_KEY: keys.data.keyArn,
    },
    rights: [
      ...tableRights(table, keys.data, {
        read: ["templates", "keys", "config"],
        write: ["templates", "keys", "config", "audit"],
        batch: ["audit"],
        list: ["keys"],
      }),
      ...fillSecretRights(keys.data, firstKeySecret),
      ...authorityRights(keys.data, config.deployment, "kms:Encrypt"),
      ...deadLetterRights(keys.data, deadLetters.events),
    ],
    timeout: Duration.minutes(1),
    deadLetters: deadLetters.events,
  });
}
