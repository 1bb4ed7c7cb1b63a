import { RemovalPolicy } from "aws-cdk-lib";
import type { IKey } from "aws-cdk-lib/aws-kms";
import { LogGroup } from "aws-cdk-lib/aws-logs";
import type { Construct } from "constructs";
import type { DeploymentConfig } from "../config.ts";
import { dataRemoval, logRetention } from "../removal.ts";

/** A log group with a key and an end. */
export function encryptedLogGroup(
  scope: Construct,
  id: string,
  {
    config,
    key,
    keep = true,
  }: { config: DeploymentConfig; key: IKey /** Evidence, kept where data is. */; keep?: boolean },
): LogGroup {
  return new LogGroup(scope, id, {
    encryptionKey: key,
    retention: logRetention(config),
    removalPolicy: keep ? dataRemoval(config) : RemovalPolicy.DESTROY,
  });
}
