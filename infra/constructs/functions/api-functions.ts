import { Duration } from "aws-cdk-lib";
import type { Construct } from "constructs";
import { apiLifecycleEnvSchema, apiReadEnvSchema, authorizerEnvSchema } from "../../../lambdas/environment.ts";
import { invokeRights } from "./function-role.ts";
import type { FunctionsProps } from "./functions.ts";
import { leaveRights, stopRights } from "./instance-rights.ts";
import { evidenceRights, sealRights, secretPrefixOf, secretRights, signRights } from "./key-rights.ts";
import { functionNameOf, PlatformFunction } from "./platform-function.ts";
import { settingsJson } from "./settings.ts";
import { tableRights } from "./table-rights.ts";

/** The chained audit record. */
const chainRecords = ["auditChain", "auditHeads", "auditCheckpoints"] as const;

/** The functions behind the two doors. None of them can launch, or reach an instance. */
export function apiFunctions(scope: Construct, props: FunctionsProps) {
  return {
    "api-read": apiRead(scope, props),
    "api-lifecycle": apiLifecycle(scope, props),
    authorizer: authorizer(scope, props),
  };
}

/** What the schema of each of them asks for. */
function commonOf({ config, state, edge, tracing }: FunctionsProps) {
  return {
    props: { config, logKey: state.keys.data, tracing: tracing ?? false },
    env: { BULKHEAD_DEPLOYMENT: config.deployment, BULKHEAD_TABLE: state.table.tableName },
    addresses: { BULKHEAD_GATEWAY_URL: edge.gatewayUrl, BULKHEAD_DOMAIN: edge.domain ?? "" },
  };
}

function apiRead(scope: Construct, props: FunctionsProps) {
  const { state } = props;
  const common = commonOf(props);
  return new PlatformFunction(scope, "ApiRead", {
    ...common.props,
    name: "api-read",
    description: "Everything that only reads, behind both doors",
    schema: apiReadEnvSchema,
    environment: {
      ...common.env,
      ...common.addresses,
      BULKHEAD_SETTINGS: settingsJson(scope, props).settings,
      BULKHEAD_AUDIT_KEY: state.keys.evidence.keyArn,
    },
    rights: [
      ...tableRights(state.table, state.keys.data, {
        read: [
          ...(["sandboxes", "instances", "keys", "templates", "capacity", "egress", "openEgress"] as const),
          ...chainRecords,
        ],
        append: ["auditCheckpoints"],
        batch: ["audit"],
        list: ["live", "ended", "keys"],
      }),
      ...evidenceRights(state.keys.evidence),
    ],
    timeout: Duration.seconds(15),
  });
}

function apiLifecycle(scope: Construct, props: FunctionsProps) {
  const { config, state, place } = props;
  const { keys, table } = state;
  const common = commonOf(props);
  const { settings, teardown } = settingsJson(scope, props);
  return new PlatformFunction(scope, "ApiLifecycle", {
    ...common.props,
    name: "api-lifecycle",
    description: "Creates, changes and ends sandboxes and keys, behind both doors; launches nothing",
    schema: apiLifecycleEnvSchema,
    environment: {
      ...common.env,
      ...common.addresses,
      BULKHEAD_SETTINGS: settings,
      BULKHEAD_TEARDOWN: teardown,
      BULKHEAD_BRIDGE: functionNameOf(config, "bridge"),
      BULKHEAD_DATA_KEY: keys.data.keyArn,
      BULKHEAD_SIGNING_KEY: keys.signing.keyArn,
      BULKHEAD_AUDIT_KEY: keys.evidence.keyArn,
      BULKHEAD_SECRET_PREFIX: secretPrefixOf(config.deployment),
    },
    rights: [
      ...tableRights(table, keys.data, {
        read: [
          ...(["sandboxes", "instances", "keys", "templates", "quotas", "idempotency", "admission"] as const),
          ...chainRecords,
        ],
        append: ["auditCheckpoints"],
        write: ["sandboxes", "instances", "keys", "quotas", "idempotency", "admission", "audit"],
        remove: ["instances", "idempotency"],
        batch: ["audit"],
        list: ["warm", "keys"],
      }),
      ...sealRights(keys.data),
      ...signRights(keys.signing),
      ...evidenceRights(keys.evidence),
      ...secretRights(keys.data, config.deployment),
      ...stopRights(place),
      ...leaveRights(place),
      ...invokeRights(scope, [functionNameOf(config, "bridge")]),
    ],
    // API Gateway gives up after 29 s.
    timeout: Duration.seconds(29),
    memoryMiB: 1024,
  });
}

function authorizer(scope: Construct, props: FunctionsProps) {
  const { state } = props;
  const common = commonOf(props);
  return new PlatformFunction(scope, "Authorizer", {
    ...common.props,
    name: "authorizer",
    description: "Whose API key is it?",
    schema: authorizerEnvSchema,
    environment: common.env,
    rights: tableRights(state.table, state.keys.data, {
      read: ["keys"],
      write: ["keys"],
      batch: ["audit"],
    }),
    timeout: Duration.seconds(5),
  });
}
