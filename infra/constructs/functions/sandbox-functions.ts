import { Duration } from "aws-cdk-lib";
import type { Construct } from "constructs";
import { bridgeEnvSchema, janitorEnvSchema } from "../../../lambdas/environment.ts";
import type { FunctionsProps } from "./functions.ts";
import { PlatformFunction } from "./platform-function.ts";

const mountPath = "/mnt/files";

/** The functions inside the sandbox VPC. They can reach what is there, and nothing of AWS. */
export function sandboxFunctions(scope: Construct, props: FunctionsProps) {
  return { bridge: bridge(scope, props), janitor: janitor(scope, props) };
}

function bridge(scope: Construct, { config, network, state }: FunctionsProps) {
  return new PlatformFunction(scope, "Bridge", {
    config,
    logKey: state.keys.data,
    name: "bridge",
    description: "The only control-plane code with a way to agents; has no AWS rights",
    schema: bridgeEnvSchema,
    environment: { BULKHEAD_DEPLOYMENT: config.deployment, BULKHEAD_SANDBOX_CIDR: network.sandboxCidr },
    rights: [],
    network: {
      vpc: network.sandboxVpc,
      subnets: network.sandboxSubnets,
      securityGroup: network.securityGroups.bridge,
    },
    timeout: Duration.seconds(30),
  });
}

/** Mounts the root of the file system; beside that it has no AWS rights. */
function janitor(scope: Construct, { config, network, state }: FunctionsProps) {
  const { fileSystem, janitorAccessPoint } = state;
  return new PlatformFunction(scope, "Janitor", {
    config,
    logKey: state.keys.data,
    name: "janitor",
    description: "Removes the files of ended instances",
    schema: janitorEnvSchema,
    environment: { BULKHEAD_DEPLOYMENT: config.deployment, BULKHEAD_MOUNT: mountPath },
    rights: [
      {
        actions: [
          "elasticfilesystem:ClientMount",
          "elasticfilesystem:ClientWrite",
          "elasticfilesystem:ClientRootAccess",
        ],
        resources: [fileSystem.fileSystemArn],
        conditions: { StringEquals: { "elasticfilesystem:AccessPointArn": janitorAccessPoint.accessPointArn } },
      },
    ],
    network: {
      vpc: network.sandboxVpc,
      subnets: network.sandboxSubnets,
      securityGroup: network.securityGroups.janitor,
    },
    mount: { accessPointArn: janitorAccessPoint.accessPointArn, path: mountPath },
    // The file system's policy lets a role of this name be root, and no other.
    roleName: state.janitorRoleName,
    timeout: Duration.minutes(5),
    memoryMiB: 256,
  });
}
