import { EC2Client } from "@aws-sdk/client-ec2";
import { ECSClient } from "@aws-sdk/client-ecs";
import { EFSClient } from "@aws-sdk/client-efs";

/** What launching and taking down instances talks to. Made once and kept: a client's retry bucket learns the service's rate. */
export interface ComputeClients {
  readonly ecs: ECSClient;
  readonly ec2: EC2Client;
  readonly efs: EFSClient;
}

export function makeComputeClients(region: string): ComputeClients {
  const options = { region, retryMode: "adaptive", maxAttempts: 4 } as const;
  return { ecs: new ECSClient(options), ec2: new EC2Client(options), efs: new EFSClient(options) };
}
