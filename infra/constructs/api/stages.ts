import {
  LogGroupLogDestination,
  MethodLoggingLevel,
  type RestApi,
  Stage,
  type StageOptions,
} from "aws-cdk-lib/aws-apigateway";
import type { ILogGroup } from "aws-cdk-lib/aws-logs";
import { acknowledge } from "../../acknowledge.ts";
import { type ApiGatewayAccount, accessLogFormat } from "./access-log.ts";
import { stageNames } from "./routes.ts";

/** Requests per second and burst, over all callers together. */
export interface Throttle {
  readonly rate: number;
  readonly burst: number;
}

export interface StageProps {
  readonly accessLog: ILogGroup;
  /** Of all requests. @default 200 a second, burst 400 */
  readonly throttle?: Throttle;
  /** Of `POST /v1/sandboxes`. @default 20 a second, burst 100: what Fargate launches */
  readonly createThrottle?: Throttle;
  /** Traces to X-Ray. @default false */
  readonly tracing?: boolean;
  /** A WAF stands in front. */
  readonly firewall: boolean;
}

export const firstStage = "v1";

/** Execution logs are off: they hold headers and bodies, with keys and env values in them. */
export function stageOptions(stageName: string, props: StageProps): StageOptions {
  const { rate, burst } = props.throttle ?? { rate: 200, burst: 400 };
  const create = props.createThrottle ?? { rate: 20, burst: 100 };
  const method = { metricsEnabled: true, loggingLevel: MethodLoggingLevel.OFF, dataTraceEnabled: false };
  return {
    ...method,
    stageName,
    throttlingRateLimit: rate,
    throttlingBurstLimit: burst,
    ...(stageName === firstStage && {
      methodOptions: {
        "/sandboxes/POST": { ...method, throttlingRateLimit: create.rate, throttlingBurstLimit: create.burst },
      },
    }),
    tracingEnabled: props.tracing ?? false,
    accessLogDestination: new LogGroupLogDestination(props.accessLog),
    accessLogFormat,
  };
}

/** All stages of an API, the first of which CDK has made with it. */
export function completeStages(api: RestApi, account: ApiGatewayAccount, props: StageProps): readonly Stage[] {
  const deployment = api.latestDeployment;
  if (deployment === undefined) throw new Error("The API has no deployment.");
  const others = stageNames
    .filter((name) => name !== firstStage)
    .map((name) => new Stage(api, `Stage-${name}`, { deployment, ...stageOptions(name, props) }));
  const stages = [api.deploymentStage, ...others];
  for (const stage of stages) {
    // Without the account's log role a stage with an access log is refused.
    stage.node.addDependency(account);
    acknowledge(stage, exceptions(props));
  }
  return stages;
}

const noFirewall =
  "An option of the configuration (waf): it costs more than the rest of the idle control plane. Every route but two asks for a key or a signature, bodies are parsed by schemas, rates are limited.";

function exceptions(props: StageProps): Record<string, string> {
  const executionLog =
    "Execution logs hold headers and bodies, and so API keys and env values. The access log has every request, the functions log what they do.";
  return {
    "AwsSolutions-APIG6": executionLog,
    "NIST.800.53.R5-APIGWExecutionLoggingEnabled": executionLog,
    "NIST.800.53.R5-APIGWCacheEnabledAndEncrypted":
      "Nothing is cached: answers belong to one caller and change by the second.",
    "NIST.800.53.R5-APIGWSSLEnabled":
      "A client certificate is for HTTP backends; these are functions, which API Gateway calls by IAM.",
    ...(!props.firewall && {
      "AwsSolutions-APIG3": noFirewall,
      "NIST.800.53.R5-APIGWAssociatedWithWAF": noFirewall,
    }),
    ...(props.tracing !== true && {
      "NIST.800.53.R5-APIGWXrayEnabled":
        "Tracing is an option of the construct; metrics, access log and audit log are always on.",
    }),
  };
}
