import { RemovalPolicy } from "aws-cdk-lib";
import type { RetentionDays } from "aws-cdk-lib/aws-logs";
import type { DeploymentConfig } from "./config.ts";

/** What happens to things that hold data when their stack goes. */
export function dataRemoval(config: Pick<DeploymentConfig, "retainData">): RemovalPolicy {
  return config.retainData ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY;
}

/** How long log groups keep what they are told. */
export function logRetention(config: Pick<DeploymentConfig, "logRetentionDays">): RetentionDays {
  return config.logRetentionDays;
}
