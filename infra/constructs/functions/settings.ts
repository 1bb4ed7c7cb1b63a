import { Stack } from "aws-cdk-lib";
import type { Construct } from "constructs";
import type { z } from "zod";
import type { launchSettingsSchema, teardownSettingsSchema } from "#aws/compute/settings.ts";
import { type DeploymentConfig, settingsOf } from "../../config.ts";
import type { PlatformEdge, PlatformImages, PlatformNetwork, PlatformState } from "../parts.ts";
import type { InstancePlace } from "./instance-rights.ts";

/** What the settings of launch and teardown are made of. */
export interface SettingsSource {
  readonly config: DeploymentConfig;
  readonly network: PlatformNetwork;
  readonly state: PlatformState;
  readonly edge: PlatformEdge;
  readonly images: PlatformImages;
  readonly place: InstancePlace;
}

/** Settings as the JSON of a variable; names that exist at deploy time only are filled in by CloudFormation. */
export function settingsJson(scope: Construct, source: SettingsSource) {
  const json = (value: object) => Stack.of(scope).toJsonString(value);
  return {
    settings: json(settingsOf(source.config)),
    teardown: json(teardownSettings(source)),
    launch: json(launchSettings(source)),
  };
}

function teardownSettings({ config, network, state, place }: SettingsSource): z.input<typeof teardownSettingsSchema> {
  return {
    deployment: config.deployment,
    cluster: place.cluster.clusterArn,
    vpcId: network.sandboxVpc.vpcId,
    fileSystemId: state.fileSystem.fileSystemId,
  };
}

function launchSettings(source: SettingsSource): z.input<typeof launchSettingsSchema> {
  const { network, edge, images, place } = source;
  const groups = network.securityGroups;
  return {
    ...teardownSettings(source),
    subnetIds: network.sandboxSubnets.map((subnet) => subnet.subnetId),
    executionRoleArn: place.executionRole.roleArn,
    securityGroups: {
      gateway: groups.gateway.securityGroupId,
      bridge: groups.bridge.securityGroupId,
      proxy: groups.proxy.securityGroupId,
      fileSystem: groups.fileSystem.securityGroupId,
      endpoints: groups.endpoints.securityGroupId,
    },
    s3PrefixListId: network.s3PrefixListId,
    egressProxy: { ...edge.egressProxy },
    images: { ...images.templates },
  };
}
