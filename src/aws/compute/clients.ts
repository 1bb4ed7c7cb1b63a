import { ECSClient } from "@aws-sdk/client-ecs";
import { EFSClient } from "@aws-sdk/client-efs";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import { type Ec2Query, makeEc2Query } from "./ec2-query.ts";

/** What launching and taking down instances talks to. */
export interface ComputeClients {
  readonly ecs: ECSClient;
  readonly ec2: Ec2Query;
  readonly efs: EFSClient;
}

/** One client per service and region, made when first asked for and kept: its retry bucket learns the service's rate. */
function memoised<Client>(make: (region: string) => Client): (region: string) => Client {
  const made = new Map<string, Client>();
  return (region) => {
    const client = made.get(region) ?? make(region);
    made.set(region, client);
    return client;
  };
}

const handler = () =>
  new NodeHttpHandler({ connectionTimeout: 1_000, requestTimeout: 10_000, throwOnRequestTimeout: true });

export const ecsClient = memoised(
  (region) => new ECSClient({ region, retryMode: "adaptive", maxAttempts: 4, requestHandler: handler() }),
);

const efsClient = memoised(
  (region) => new EFSClient({ region, retryMode: "adaptive", maxAttempts: 4, requestHandler: handler() }),
);

const ec2Client = memoised((region) => makeEc2Query({ region }));

export function computeClients(region: string): ComputeClients {
  return { ecs: ecsClient(region), ec2: ec2Client(region), efs: efsClient(region) };
}
