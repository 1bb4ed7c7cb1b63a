import { ECSClient } from "@aws-sdk/client-ecs";
import { EFSClient } from "@aws-sdk/client-efs";
import type { ComputeClients } from "#aws/compute/clients.ts";
import { makeEc2Query } from "#aws/compute/ec2-query.ts";
import type { FargateDeps } from "#aws/compute/fargate-compute.ts";
import { type LaunchSettings, launchSettingsSchema } from "#aws/compute/settings.ts";
import type { Clock } from "#core/ports.ts";
import { noopLogger } from "#telemetry/logger.ts";
import type { AwsFake } from "./aws-fake.ts";

export const testCredentials = { accessKeyId: "test", secretAccessKey: "test" };

/** Real SDK clients that talk to `endpoint`. */
export function clientsOf(endpoint: string, region: string, maxAttempts: number): ComputeClients {
  const options = { endpoint, region, maxAttempts, credentials: testCredentials };
  return { ecs: new ECSClient(options), efs: new EFSClient(options), ec2: makeEc2Query(options) };
}

export function settingsOf(
  changes: Partial<LaunchSettings> & Pick<LaunchSettings, "vpcId" | "fileSystemId">,
): LaunchSettings {
  return launchSettingsSchema.parse({
    deployment: "bh",
    cluster: "instances",
    subnetIds: ["subnet-a", "subnet-b"],
    executionRoleArn: "arn:aws:iam::123456789012:role/bh-execution",
    securityGroups: {
      gateway: "sg-gateway",
      bridge: "sg-bridge",
      proxy: "sg-proxy",
      fileSystem: "sg-files",
      endpoints: "sg-endpoints",
    },
    s3PrefixListId: "pl-s3",
    egressProxy: { host: "egress.bh.internal", port: 3128 },
    images: { base: "123456789012.dkr.ecr.eu-west-1.amazonaws.com/bh@sha256:abc" },
    ...changes,
  });
}

/** A clock whose sleeps move the fake's time on. */
export function clockOf({ state }: AwsFake): Clock {
  return {
    now: () => 1_800_000_000_000 + state.now(),
    after: () => ({ cancel: () => {} }),
    async sleep(ms) {
      state.advance(ms);
    },
    random: (bytes) => new Uint8Array(bytes),
  };
}

/** What the adapter needs to work on the fake. @param maxAttempts of the clients: 1 shows each call */
export function fargateDeps(fake: AwsFake, maxAttempts = 1): FargateDeps & { readonly clients: ComputeClients } {
  const { region, vpcId, fileSystemId } = fake.state;
  for (const name of ["gateway", "bridge", "proxy", "files", "endpoints"]) fake.addGroup(name);
  return {
    settings: settingsOf({ vpcId, fileSystemId }),
    region,
    clients: clientsOf(fake.endpoint, region, maxAttempts),
    clock: clockOf(fake),
    logger: noopLogger,
    removeFiles: async () => {},
  };
}
