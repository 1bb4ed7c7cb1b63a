import type { RestApi } from "aws-cdk-lib/aws-apigateway";
import type { IFunction } from "aws-cdk-lib/aws-lambda";
import type { Queue } from "aws-cdk-lib/aws-sqs";
import type { DeploymentConfig } from "../../config.ts";
import type { EdgeServices } from "../edge/edge-services.ts";
import type { FunctionName, PlatformState } from "../parts.ts";

/** What is watched. */
export interface MonitoringSources {
  readonly config: DeploymentConfig;
  readonly state: Pick<PlatformState, "table" | "fileSystem" | "keys">;
  readonly functions: Readonly<Record<FunctionName, IFunction>>;
  readonly apis: { readonly key: RestApi; readonly iam: RestApi };
  readonly deadLetters: { readonly events: Queue; readonly stream: Queue };
  readonly edge: Pick<EdgeServices, "balancer" | "services">;
}
